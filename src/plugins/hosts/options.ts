/** The companion reads the file. */
export interface HostsOptions {
  path: string;
  zones: string[];
  inline: string[];
  ttlSeconds: number;
  autoReverse: boolean;
  reloadMs: number;
  fallthrough: string[] | null;
  fallthroughUnsupported: boolean;
  /** Zones whose names exist only if they are listed. */
  authoritative: string[];
}

/** Whether two directives have the same table. */
export function hasSameTable(a: HostsOptions, b: HostsOptions): boolean {
  const key = ({ path, zones, authoritative, autoReverse, inline }: HostsOptions) =>
    JSON.stringify([path, zones, authoritative, autoReverse, inline]);
  return key(a) === key(b);
}
