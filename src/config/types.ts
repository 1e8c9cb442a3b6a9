/**
 * The whole configuration as plain data: what `nodens check --json` prints, and what a reload sends
 * to the data plane. It can be cloned and holds no function, no handle and no text to parse.
 */
export interface Config {
  /** The Corefile that it was read from. */
  file: string;
  blocks: BlockConfig[];
  listeners: ListenerConfig[];
  /** The `debug` directive stands in some block: debug lines are logged. */
  debug: boolean;
  /** What is served over HTTP (`prometheus`, `health`, `ready`); not there without any. */
  endpoints?: EndpointConfig[];
  /** Bytes that the process may take; not there where memory has no known limit. */
  memoryBytes?: number;
  /** Bytes that clients' TCP connections may take; not there where memory has no known limit. */
  streamBytes?: number;
  /** Bytes of buffers that a thread allocates before it collects garbage; likewise. */
  garbageBytes?: number;
  /** Bytes that what is under way over TLS may take; not there likewise. */
  tlsBytes?: number;
  /** How often the Corefile is looked at for changes; not there where it is not. */
  reload?: ReloadConfig;
}

/** Times between two looks at the Corefile. */
export interface ReloadConfig {
  intervalMs: number;
  /** By how much each time is longer or shorter, at random. */
  jitterMs: number;
}

/** One directive that serves something over HTTP; several may share an address. */
export type EndpointConfig =
  & {
    /** Host name or IP address; "" for all addresses of both families. */
    host: string;
    port: number;
    /** Index of the server block that it stands in. */
    block: number;
  }
  & EndpointKind;

/** What an endpoint serves. */
export type EndpointKind =
  | { kind: "prometheus" }
  /** `lameduckMs`: how long stopping waits so that others notice. */
  | { kind: "health"; lameduckMs: number }
  /** `continuously`: a plugin that was ready once is asked again. */
  | { kind: "ready"; continuously: boolean };

/** One server block: its zones share the handlers. */
export interface BlockConfig {
  file: string;
  line: number;
  /** Fully qualified, lower case, in the order of the Corefile: `example.org.`, `.`. */
  zones: string[];
  /** In the order of the chain (`plugins/chain.ts`), not that of the Corefile. */
  plugins: PluginConfig[];
}

/** Options of one handler. A directive that makes several handlers stands here several times. */
export interface PluginConfig {
  name: string;
  line: number;
  /** Plain data; each plugin's `setup.ts` exports the type. */
  options: unknown;
}

/** One address and port to listen on, UDP and TCP alike. */
export interface ListenerConfig {
  /** IP address in presentation format (an IPv6 scope as `%eth0`), or "" for all of both families. */
  address: string;
  port: number;
  /** What its clients are allowed, where a block says so (`timeouts`). */
  timeouts?: StreamTimeouts;
  /** Which block answers for which zone here. */
  zones: { zone: string; block: number }[];
}

/** What clients of a listener may do; what is not there has its default in `engine/`. */
export interface StreamTimeouts {
  /** Time for the first query to be in. */
  readMs?: number;
  /** Time over which the rate of a client that has responses waiting is measured. */
  writeMs?: number;
  /** Time for each further query to be in. */
  idleMs?: number;
  /** Queries that are answered over one connection; -1 for any number. */
  queries?: number;
  /** How long a query over UDP may wait for an upstream and still get its answer; 0 for any time. */
  discardMs?: number;
}
