import type { PluginConfig } from "../config/types.ts";
import type { Address } from "../dns/address.ts";
import type { BufferPool } from "./buffer_pool.ts";
import type { CounterBook } from "./counters.ts";
import type { Chain, Exchange, RecordOrder, Verdict, WAIT } from "./exchange/exchange.ts";
import type { Io } from "./io.ts";
import type { HashKey } from "./question/keyed_hash.ts";
import type { Response } from "./response/response.ts";
import type { ResponseWriter } from "./response/writer.ts";
import type { ServedZone } from "./served.ts";
import type { Timers } from "./timers.ts";

export { ANSWERED, DROP, NEXT, type Verdict, WAIT } from "./exchange/exchange.ts";

/** As in CoreDNS. */
export type LogLevel = "debug" | "info" | "warning" | "error";

/** Values of a log line, for structured logs. */
export type LogFields = Readonly<
  Record<string, string | number | boolean | readonly string[]>
>;

/** One plugin in one server block. No method throws for client or upstream input. */
export interface Handler {
  readonly name: string;
  /** It asks upstreams: responses of its block have RA, and it gets queries of every class. */
  readonly recursive?: boolean;
  readonly everyClass?: boolean;
  /** Header flags set and cleared in every response of the block. */
  readonly responseFlags?: { readonly set: number; readonly clear: number };
  /** Order of the records in every response of the block. */
  readonly recordOrder?: RecordOrder;
  joined?(chain: Chain, handlers: readonly Handler[]): void;
  /** Way down, in the order of the chain. */
  query?(exchange: Exchange): Verdict;
  /**
   * Way up, nearest handler first. May change `exchange.response`, or park the exchange and return
   * `WAIT`; then it calls `rise` on the engine.
   */
  response?(exchange: Exchange): typeof WAIT | void;
  /** A client's query is finished. Only called for the first handler of a chain that has it. */
  sent?(exchange: Exchange, sizeBytes: number): void;
  ready?(): boolean;
  /** Gets data from the control plane (a hosts table, upstreams). */
  receive?(data: unknown): void;
  /** Answers the control plane with plain data, quickly. */
  ask?(request: unknown): unknown;
  stop?(): void;
}

/** What a handler gets when it is created. */
export interface HandlerEnvironment {
  /** Zones of the server block, normalized. */
  readonly zones: readonly string[];
  readonly position: number;
  readonly engine: EngineServices;
  /** Plugins of the server block; undefined in tests. */
  readonly plugins?: readonly PluginConfig[];
  /** The block's zones by listener; undefined in tests. */
  readonly served?: readonly ServedZone[];
  /** The handler that a reload replaces. */
  readonly previous?: Handler | null;
}

/** The engine as handlers see it. */
export interface EngineServices {
  /** Monotonic milliseconds, read once a batch. */
  readonly nowMs: number;
  /** Milliseconds since 1970 by the wall clock, NaN without one. */
  readonly wallMs: () => number;
  readonly timers: Timers;
  readonly io: Io;
  readonly buffers: BufferPool;
  /** Uniform 32-bit numbers, fit for security. */
  readonly random: () => number;
  readonly hashKey: HashKey;
  /** Counters; a handler adds to `values[index]`. */
  readonly values: Float64Array;
  readonly counter: CounterBook["counter"];
  /** Index of the first bucket of a histogram (`buckets.ts`). */
  readonly histogram: CounterBook["histogram"];
  /** Its response is valid until the next query. */
  readonly writer: ResponseWriter;
  failure(exchange: Exchange, rcode: number): Response;
  /** Parks the exchange, so that it can wait; null if too many wait already. */
  park(exchange: Exchange): Exchange | null;
  resume(exchange: Exchange): void;
  /** Goes on with the response of an exchange that waited on its way up. */
  rise(exchange: Exchange): void;
  /** Passes the query of a waiting handler to the next one in the chain. */
  proceed(exchange: Exchange): void;
  /**
   * Starts an internal query for the exchange's question below `position`, where its response rises
   * to; false if too many wait already.
   */
  refresh(exchange: Exchange, position: number): boolean;
  /** One of `CLIENT_BUCKETS`, by the client's address; 0 for internal queries. */
  clientBucket(exchange: Exchange): number;
  clientFamily(exchange: Exchange): 4 | 6;
  clientAddress(exchange: Exchange, target: Address): void;
  localAddress(exchange: Exchange, target: Address): void;
  /** Logs a line; `fields` only if `logsFields`. */
  readonly log: (level: LogLevel, line: string, fields?: LogFields) => void;
  readonly logsFields: boolean;
}

/** Creates a handler from the plain data that the plugin's `setup.ts` made. */
export type CreateHandler<O = unknown> = (options: O, environment: HandlerEnvironment) => Handler;
