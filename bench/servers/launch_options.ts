/** Where a server listens, asks and keeps its files. */
export interface LaunchOptions {
  /** Port on 127.0.0.1 for UDP and TCP. */
  readonly port: number;
  /** Port of the upstream on 127.0.0.1. */
  readonly upstreamPort: number;
  /** Empty directory of its own. */
  readonly directory: string;
  /** Entries that the cache must be able to hold. */
  readonly capacity: number;
}
