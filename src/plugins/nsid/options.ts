/** Options of one `nsid` directive. */
export interface NsidOptions {
  /** What clients are told, as text; at most 128 octets of UTF-8. */
  data: string;
}
