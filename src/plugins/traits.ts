import type { ServerAddress } from "../upstream/options.ts";

/** Destination of queries. */
export interface Forwarding {
  /** Zone, and exceptions below it. */
  from: string;
  except: readonly string[];
  servers: readonly ServerAddress[];
  /** TCP only for plain DNS. */
  forceTcp: boolean;
  encrypted: boolean;
  files: readonly { path: string; servers: readonly string[] }[];
}

/** A part of handlers that few options need. */
export type HandlerPart = "patterns" | "keep" | "search_cut" | "kernel_hits";

/** Facts from a directive's options. */
export interface PluginTraits<Options> {
  /** Loaded before the handler is created. */
  parts?(options: Options): readonly HandlerPart[];
  logsStacks?(options: Options): boolean;
  forwarding?(options: Options): Forwarding;
  /** Answers that it keeps at most. */
  cachedAnswers?(options: Options): number;
  /** A name answered without a network. */
  ownName?(options: Options): string | null;
}
