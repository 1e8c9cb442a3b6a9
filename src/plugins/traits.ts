import type { ServerAddress } from "../upstream/options.ts";

/** A library that handlers cannot load themselves, since a data plane never yields. */
export interface Library {
  load(): Promise<void>;
}

/** Where a directive sends queries. */
export interface Forwarding {
  /** Zone whose names are forwarded, and zones below it whose names are not. */
  from: string;
  except: readonly string[];
  servers: readonly ServerAddress[];
  /** Plain DNS goes over TCP alone. */
  forceTcp: boolean;
  /** The servers may be spoken to over TLS or HTTPS, be they known yet or not. */
  encrypted: boolean;
  /** Files that name servers, with the addresses that each of them named. */
  files: readonly { path: string; servers: readonly string[] }[];
}

/** What the rest of the program may know of a directive, by its options. */
export interface PluginTraits<Options> {
  /** What must be loaded before the handler is made; null for nothing. */
  library?(options: Options): Library | null;
  /** Exceptions are logged with their stacks. */
  logsStacks?(options: Options): boolean;
  forwarding?(options: Options): Forwarding;
  /** A name that is answered without a network; null for none. */
  ownName?(options: Options): string | null;
}
