/** A configuration as plain data. */
export interface Config {
  file: string;
  blocks: BlockConfig[];
  listeners: ListenerConfig[];
  debug: boolean;
  /** Several may share an address; `host` is "" for all of both families. */
  endpoints?: (EndpointKind & { host: string; port: number; block: number })[];
  /** Absent if unknown, like the shares below. */
  memoryBytes?: number;
  streamBytes?: number;
  /** Buffer bytes a thread allocates before collecting garbage. */
  garbageBytes?: number;
  tlsBytes?: number;
  /** Only with hits in the kernel. */
  kernelBytes?: number;
  reload?: ReloadConfig;
}

/** Interval of Corefile checks. */
export interface ReloadConfig {
  intervalMs: number;
  jitterMs: number;
}

/** Kind of an HTTP endpoint. */
export type EndpointKind =
  | { kind: "prometheus" }
  /** `lameduckMs`: shutdown delay. */
  | { kind: "health"; lameduckMs: number }
  /** `continuously`: also recheck plugins that were ready once. */
  | { kind: "ready"; continuously: boolean }
  | { kind: "pprof" };

/** Server block; its zones share handlers. */
export interface BlockConfig {
  file: string;
  line: number;
  /** Lower case, trailing dot, Corefile order. */
  zones: string[];
  /** In chain order (`plugins/chain.ts`). */
  plugins: PluginConfig[];
}

/** Options of one handler. */
export interface PluginConfig {
  name: string;
  line: number;
  /** Typed by each plugin's `setup.ts`. */
  options: unknown;
}

/** Address for UDP and TCP. */
export interface ListenerConfig {
  /** With a scope (`%eth0`); "" for all of both families. */
  address: string;
  port: number;
  timeouts?: StreamTimeouts;
  zones: { zone: string; block: number }[];
}

/** `timeouts`; defaults are in `engine/`. */
export interface StreamTimeouts {
  /** Until the first query is complete. */
  readMs?: number;
  /** To measure a slow reader's rate. */
  writeMs?: number;
  /** Until each further query is complete. */
  idleMs?: number;
  /** Queries per connection; -1 for unlimited. */
  queries?: number;
  /** Maximum age of an answerable UDP query; 0 for unlimited. */
  discardMs?: number;
}
