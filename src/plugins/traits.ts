import type { ServerAddress } from "../upstream/options.ts";

/** A library for handlers, which cannot load it because a data plane never yields. */
export interface Library {
  load(): Promise<void>;
}

/** Where a directive sends queries. */
export interface Forwarding {
  /** The forwarded zone, and the excepted zones below it. */
  from: string;
  except: readonly string[];
  servers: readonly ServerAddress[];
  /** Plain DNS uses only TCP. */
  forceTcp: boolean;
  /** Servers, known or not, may use TLS or HTTPS. */
  encrypted: boolean;
  /** Files with servers, and the addresses that they contained. */
  files: readonly { path: string; servers: readonly string[] }[];
}

/** Answers questions of the rest of the program about a directive, from its options. */
export interface PluginTraits<Options> {
  /** Must be loaded before the handler is made. */
  library?(options: Options): Library | null;
  /** Exceptions are logged with their stacks. */
  logsStacks?(options: Options): boolean;
  forwarding?(options: Options): Forwarding;
  /** A name that is answered without a network. */
  ownName?(options: Options): string | null;
}
