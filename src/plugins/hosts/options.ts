/** Options of one `hosts` directive. The file itself is read later, by the control plane. */
export interface HostsOptions {
  /** Path of the hosts file, as the Corefile has it. */
  path: string;
  /** Zones that it answers for, normalised. */
  zones: string[];
  /** Entries of the Corefile, one line each, in the syntax of the file. */
  inline: string[];
  ttlSeconds: number;
  /** Answer reverse lookups of the addresses. */
  autoReverse: boolean;
  /** Time between two looks at the file; 0 for never again. */
  reloadMs: number;
  /** Zones for which queries without an entry go on down the chain; null for none. */
  fallthrough: string[] | null;
  /** Let queries for other types than A, AAAA and PTR fall through, although the name has entries. */
  fallthroughUnsupported: boolean;
}
