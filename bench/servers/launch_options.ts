/** An upstream over UDP and TCP. */
export interface UpstreamAddress {
  /** IPv4 address. */
  readonly address: string;
  readonly port: number;
}

/** Options of a server. */
export interface LaunchOptions {
  /** For UDP and TCP. */
  readonly port: number;
  /** IPv4 address to serve; default 127.0.0.1. */
  readonly address?: string;
  readonly upstreams: readonly UpstreamAddress[];
  /** Empty directory for its files. */
  readonly directory: string;
  /** Entries the cache must hold. */
  readonly capacity: number;
}
