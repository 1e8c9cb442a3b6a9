import type { PluginConfig } from "../config/types.ts";
import type { Address } from "../dns/address.ts";
import type { BufferPool } from "./buffer_pool.ts";
import type { CounterBook } from "./counters.ts";
import type { Chain, Exchange, RecordOrder, Verdict, WAIT } from "./exchange/exchange.ts";
import type { Explanation } from "./explanation.ts";
import type { Io } from "./io.ts";
import type { KernelAnswers, KernelHits } from "./kernel/kernel_hits.ts";
import type { HashKey } from "./question/keyed_hash.ts";
import type { Response } from "./response/response.ts";
import type { ResponseWriter } from "./response/writer.ts";
import type { ServedZone } from "./served.ts";
import type { Timers } from "./timers.ts";

export { ANSWERED, DROP, NEXT, type Verdict, WAIT } from "./exchange/exchange.ts";

/** Log levels of CoreDNS. */
export type LogLevel = "debug" | "info" | "warning" | "error";

/** Values of a log line. */
export type LogFields = Readonly<Record<string, string | number | boolean | readonly string[]>>;

/** A plugin in a server block. Never throws on client or upstream input. */
export interface Handler {
  readonly name: string;
  /** Source of its answers, if not its name. */
  readonly source?: string;
  /** Sets RA and accepts every class. */
  readonly recursive?: boolean;
  readonly everyClass?: boolean;
  readonly responseFlags?: { readonly set: number; readonly clear: number };
  readonly recordOrder?: RecordOrder;
  /** Answers from a cache below pass unchanged and unseen, unless `sent` counts them. */
  readonly passive?: boolean;
  joined?(chain: Chain, handlers: readonly Handler[]): void;
  /** Called on the way down, in chain order. */
  query?(exchange: Exchange): Verdict;
  /** Called on the way up, nearest handler first. May park, return `WAIT` and later `rise`. */
  response?(exchange: Exchange): typeof WAIT | void;
  /** Called after a client's query, on the first handler with this method. */
  sent?(exchange: Exchange, sizeBytes: number): void;
  /** As `sent`: a program in the kernel answered from the cache at `position`. */
  sentByKernel?(answers: KernelAnswers, position: number): void;
  ready?(): boolean;
  /** A zone's sources below have all changed; `why` is for the log. */
  sourcesChanged?(zone: string, why: string): void;
  /** Receives control-plane data. */
  receive?(data: unknown): void;
  /** Answers the control plane quickly. */
  ask?(request: unknown): unknown;
  /** Predicts `query` and `response`; changes the exchange as `query` does, and nothing else. */
  explain?(exchange: Exchange): Explanation;
  stop?(): void;
}

/** Environment of a handler. */
export interface HandlerEnvironment {
  readonly zones: readonly string[];
  readonly position: number;
  readonly engine: EngineServices;
  /** Undefined in tests. */
  readonly plugins?: readonly PluginConfig[];
  /** By listener; undefined in tests. */
  readonly served?: readonly ServedZone[];
  readonly previous?: Handler | null;
}

/** Engine services for handlers. */
export interface EngineServices {
  /** Monotonic, read once a batch. */
  readonly nowMs: number;
  /** Since 1970; NaN without a wall clock. */
  readonly wallMs: () => number;
  readonly timers: Timers;
  readonly io: Io;
  /** Null unless hits may be answered in the kernel. */
  readonly kernelHits: KernelHits | null;
  readonly buffers: BufferPool;
  /** Uniform 32-bit numbers, cryptographically secure. */
  readonly random: () => number;
  readonly hashKey: HashKey;
  /** Handlers add to `values[index]`. */
  readonly values: Float64Array;
  readonly counter: CounterBook["counter"];
  readonly histogram: CounterBook["histogram"];
  /** Its response is valid until the next query. */
  readonly writer: ResponseWriter;
  failure(exchange: Exchange, rcode: number): Response;
  park(exchange: Exchange): Exchange | null;
  resume(exchange: Exchange): void;
  rise(exchange: Exchange): void;
  /** Continues a query down the chain. */
  proceed(exchange: Exchange): void;
  /** Asks internally below `position`, where the response stops; false if too many wait. */
  askBelow(exchange: Exchange, position: number): boolean;
  /** One of `CLIENT_BUCKETS`; 0 for internal queries. */
  clientBucket(exchange: Exchange): number;
  clientFamily(exchange: Exchange): 4 | 6;
  clientAddress(exchange: Exchange, target: Address): void;
  localAddress(exchange: Exchange, target: Address): void;
  /** The client's name (`-clients`), or "". Allocates. */
  clientName(exchange: Exchange): string;
  /** `fields` only if `logsFields`. */
  readonly log: (level: LogLevel, line: string, fields?: LogFields) => void;
  readonly logsFields: boolean;
}

/** What creates handlers, by plugin. */
export interface Creators {
  get(plugin: string): CreateHandler | undefined;
}

/** Creates a handler from its plugin's options. */
export type CreateHandler<O = unknown> = (options: O, environment: HandlerEnvironment) => Handler;
