/** A configuration as plain data, for `nodens check --json` and the data planes. */
export interface Config {
  file: string;
  blocks: BlockConfig[];
  listeners: ListenerConfig[];
  debug: boolean;
  /** Several may share an address; `host` is "" for all addresses of both families. */
  endpoints?: (EndpointKind & { host: string; port: number; block: number })[];
  /** Memory limit; like the shares below absent if it is not known. */
  memoryBytes?: number;
  streamBytes?: number;
  /** Bytes of buffers that a thread allocates before it collects garbage. */
  garbageBytes?: number;
  tlsBytes?: number;
  reload?: ReloadConfig;
}

/** How often the Corefile is checked for changes. */
export interface ReloadConfig {
  intervalMs: number;
  /** Largest random deviation of the interval. */
  jitterMs: number;
}

/** Kind of an HTTP endpoint. */
export type EndpointKind =
  | { kind: "prometheus" }
  /** `lameduckMs`: delay of a shutdown, for others to notice. */
  | { kind: "health"; lameduckMs: number }
  /** `continuously`: check plugins again that were ready once. */
  | { kind: "ready"; continuously: boolean }
  | { kind: "pprof" };

/** One server block: its zones share the handlers. */
export interface BlockConfig {
  file: string;
  line: number;
  /** Lower case, with the closing dot, in the order of the Corefile. */
  zones: string[];
  /** In the order of the chain (`plugins/chain.ts`). */
  plugins: PluginConfig[];
}

/** Options of one handler. */
export interface PluginConfig {
  name: string;
  line: number;
  /** Plain data; each plugin's `setup.ts` exports the type. */
  options: unknown;
}

/** One address and port to listen on, over UDP and TCP. */
export interface ListenerConfig {
  /** With a scope (`%eth0`); "" for all of both families. */
  address: string;
  port: number;
  timeouts?: StreamTimeouts;
  zones: { zone: string; block: number }[];
}

/** Values of `timeouts`; the defaults are in `engine/`. */
export interface StreamTimeouts {
  /** Until the first query of a connection is complete. */
  readMs?: number;
  /** Period over which the rate of a slow reader is measured. */
  writeMs?: number;
  /** Until each further query is complete. */
  idleMs?: number;
  /** Queries of one connection; -1 for any number. */
  queries?: number;
  /** How long a UDP query may wait and still be answered; 0 for any time. */
  discardMs?: number;
}
