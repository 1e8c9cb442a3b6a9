/** Options of one `rrl` directive. */
export interface RrlOptions {
  /** Large UDP responses a second to one network; 0 for any number. */
  perSecond: number;
  ipv4PrefixLength: number;
  ipv6PrefixLength: number;
}
