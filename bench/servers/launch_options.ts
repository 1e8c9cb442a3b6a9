/** A server to forward to, over UDP and TCP. */
export interface UpstreamAddress {
  /** IPv4 address. */
  readonly address: string;
  readonly port: number;
}

/** Where a server listens, asks and keeps its files. */
export interface LaunchOptions {
  /** Port on 127.0.0.1 for UDP and TCP. */
  readonly port: number;
  readonly upstreams: readonly UpstreamAddress[];
  /** Empty directory for its files. */
  readonly directory: string;
  /** Entries that the cache must be able to hold. */
  readonly capacity: number;
}
