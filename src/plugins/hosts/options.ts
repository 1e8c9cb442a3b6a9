/** Options of a `hosts` directive. The control plane reads the file itself later. */
export interface HostsOptions {
  path: string;
  zones: string[];
  /** Entries of the Corefile, one line each, in the syntax of the file. */
  inline: string[];
  ttlSeconds: number;
  autoReverse: boolean;
  /** Interval between checks of the file; 0 for never. */
  reloadMs: number;
  /** Zones in which names without an entry go to the next plugin; null for none. */
  fallthrough: string[] | null;
  /** Pass on queries for types other than A, AAAA and PTR, even for names with entries. */
  fallthroughUnsupported: boolean;
}

/** Whether two directives have the same table. */
export function hasSameTable(a: HostsOptions, b: HostsOptions): boolean {
  const key = ({ path, zones, autoReverse, inline }: HostsOptions) =>
    JSON.stringify([path, zones, autoReverse, inline]);
  return key(a) === key(b);
}
