/**
 * A configuration as plain data: `nodens check --json` prints it, and a reload sends it to the data
 * plane.
 */
export interface Config {
  /** Path of the Corefile. */
  file: string;
  blocks: BlockConfig[];
  listeners: ListenerConfig[];
  /** Log debug lines. */
  debug: boolean;
  /** HTTP endpoints; absent without any. */
  endpoints?: EndpointConfig[];
  /** Memory limit of the process in bytes; absent, like the three below, if it is not known. */
  memoryBytes?: number;
  /** Bytes for clients' TCP connections. */
  streamBytes?: number;
  /** Bytes of buffers that a thread allocates before it collects garbage. */
  garbageBytes?: number;
  /** Bytes in transit over TLS. */
  tlsBytes?: number;
  /** How often the Corefile is checked for changes; absent for never. */
  reload?: ReloadConfig;
}

/** Time between two checks of the Corefile. */
export interface ReloadConfig {
  intervalMs: number;
  /** Largest random deviation of the interval, in both directions. */
  jitterMs: number;
}

/** A directive that serves something over HTTP; several may share an address. */
export type EndpointConfig =
  & {
    /** Host name or IP address; "" for all addresses of both families. */
    host: string;
    port: number;
    /** Index of the server block. */
    block: number;
  }
  & EndpointKind;

/** What an endpoint serves. */
export type EndpointKind =
  | { kind: "prometheus" }
  /** `lameduckMs`: delay of a shutdown, for others to notice. */
  | { kind: "health"; lameduckMs: number }
  /** `continuously`: check plugins again that were ready once. */
  | { kind: "ready"; continuously: boolean };

/** One server block: its zones share the handlers. */
export interface BlockConfig {
  file: string;
  line: number;
  /** Fully qualified, lower case, in the order of the Corefile: `example.org.`, `.`. */
  zones: string[];
  /** In the order of the chain (`plugins/chain.ts`). A directive may make several handlers. */
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
  /** IP address in presentation format (an IPv6 scope as `%eth0`), or "" for all of both families. */
  address: string;
  port: number;
  /** Limits of the directive `timeouts`. */
  timeouts?: StreamTimeouts;
  /** The block that answers for each zone. */
  zones: { zone: string; block: number }[];
}

/** Limits for the clients of a listener; the defaults are in `engine/`. */
export interface StreamTimeouts {
  /** Until the first query of a connection is complete. */
  readMs?: number;
  /** Period over which the rate of a slow reader is measured. */
  writeMs?: number;
  /** Until each further query is complete. */
  idleMs?: number;
  /** Queries of one connection; -1 for any number. */
  queries?: number;
  /** How long a UDP query may wait for an upstream and still be answered; 0 for any time. */
  discardMs?: number;
}
