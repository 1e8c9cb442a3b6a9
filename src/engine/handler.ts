import type { PluginConfig } from "../config/types.ts";
import type { Address } from "../dns/address.ts";
import type { Io } from "./io.ts";
import type { BufferPool } from "./buffer_pool.ts";
import type { Chain, Exchange } from "./exchange/exchange.ts";
import type { HashKey } from "./question/keyed_hash.ts";
import type { Response } from "./response/response.ts";
import type { ResponseWriter } from "./response/writer.ts";
import type { ServedZone } from "./served.ts";
import type { Timers } from "./timers.ts";
import type { Verdict } from "./exchange/verdict.ts";

export { ANSWERED, DROP, NEXT, type Verdict, WAIT } from "./exchange/verdict.ts";

/** Severity of a log line, in CoreDNS's words. */
export type LogLevel = "debug" | "info" | "warning" | "error";

/** What a log line says, value by value, for logs that machines read. */
export type LogFields = Readonly<
  Record<string, string | number | boolean | readonly string[]>
>;

/**
 * One plugin at work in one server block.
 *
 * A handler is called only for the methods that it has, so a plugin that has no business with
 * queries costs nothing. None of the methods throws for anything a client or upstream sent.
 */
export interface Handler {
  readonly name: string;
  /**
   * It asks others on behalf of clients: everything that its block says has RA, and queries of every
   * class come to it. Handlers that answer by themselves look at the class.
   */
  readonly recursive?: boolean;
  /** Queries of every class come to it, although it asks nobody. */
  readonly everyClass?: boolean;
  /** Flags that every response of the block has set or cleared, in the header's second word. */
  readonly responseFlags?: { readonly set: number; readonly clear: number };
  /** Called once with the finished chain; needed by handlers that send queries (`EngineServices.refresh`). */
  joined?(chain: Chain, handlers: readonly Handler[]): void;
  /** Way down: sees the query, in the order of the chain. */
  query?(exchange: Exchange): Verdict;
  /** Way up: sees the response, nearest handler first. May change `exchange.response`. */
  response?(exchange: Exchange): void;
  /**
   * Called for every client's query once it is done with: `exchange` with its response, and the size
   * of what goes to the client in bytes, 0 for nothing. Only the first handler of a chain that has
   * this method is called.
   */
  sent?(exchange: Exchange, sizeBytes: number): void;
  /** Whether it can do its work; a handler without this method always can. */
  ready?(): boolean;
  /** Takes data that the control plane has prepared for this plugin (a hosts table, upstreams). */
  receive?(data: unknown): void;
  /**
   * Answers a request of the control plane, at once and shortly: queries wait meanwhile. Request and
   * answer are plain data.
   */
  ask?(request: unknown): unknown;
  /** Lets go of timers and sockets when the chain is retired. */
  stop?(): void;
}

/** What the engine offers to handlers. */
export interface HandlerEnvironment {
  /** Zones of the server block, lower-case and fully qualified in presentation format. */
  readonly zones: readonly string[];
  /** Place of this handler in the chain. */
  readonly position: number;
  readonly engine: EngineServices;
  /** Every plugin of the server block; none where a handler stands alone in a test. */
  readonly plugins?: readonly PluginConfig[];
  /** The block's zones by listener; none where a handler stands alone in a test. */
  readonly served?: readonly ServedZone[];
  /** The handler of this plugin that served the same zones until now (a reload), or null. */
  readonly previous?: Handler | null;
}

/** The part of the engine that handlers use. */
export interface EngineServices {
  /** Monotonic milliseconds, read once a batch. */
  readonly nowMs: number;
  /** Milliseconds since 1970 by the wall clock, NaN where there is none. */
  readonly wallMs: () => number;
  readonly timers: Timers;
  /** Streams and sockets towards upstreams. */
  readonly io: Io;
  /** Buffers for what came of a stream and is not whole yet. */
  readonly buffers: BufferPool;
  /** Uniform unsigned 32-bit random number, fit for security. */
  readonly random: () => number;
  /** Key of the hashes of questions (`question/keyed_hash.ts`); a secret of this data plane. */
  readonly hashKey: HashKey;
  /** Shared values of the counters; a handler adds to `values[index]`. */
  readonly values: Float64Array;
  /** Index of the counter with this name and these labels; made at the first call. */
  counter(name: string, labels?: Readonly<Record<string, string>>): number;
  /** As `counter`, for a histogram (`buckets.ts`): the index of its first bucket. */
  histogram(
    name: string,
    labels: Readonly<Record<string, string>>,
    bounds: readonly number[],
  ): number;
  /** Writer for responses that a handler makes itself; good until the next query. */
  readonly writer: ResponseWriter;
  /** A response with nothing but the question and this response code. */
  failure(exchange: Exchange, rcode: number): Response;
  /**
   * Parks the exchange, so that it can wait.
   *
   * @returns the exchange, or null if too many wait already
   */
  park(exchange: Exchange): Exchange | null;
  /** Sends `exchange.response` up from the waiting handler and to the client. */
  resume(exchange: Exchange): void;
  /** Sends the query of a waiting handler on to the next one in the chain. */
  proceed(exchange: Exchange): void;
  /**
   * Starts a query of nodens' own, as the exchange given, below `position`; answers rise to it.
   *
   * @returns false when too many wait already
   */
  refresh(exchange: Exchange, position: number): boolean;
  /** Which of `CLIENT_BUCKETS` the client is in, by its address; 0 for nodens itself. */
  clientBucket(exchange: Exchange): number;
  /** Family of the client's address. */
  clientFamily(exchange: Exchange): 4 | 6;
  /** Writes the client's address and port into `target`. */
  clientAddress(exchange: Exchange, target: Address): void;
  /** Writes the address and port that the client asked into `target`. */
  localAddress(exchange: Exchange, target: Address): void;
  /**
   * Queues one line for the log; `line` holds no level and no line feed, and `fields` are for
   * `logsFields` only.
   */
  readonly log: (level: LogLevel, line: string, fields?: LogFields) => void;
  /** The log takes the values of a line as well (`-log-format json`). */
  readonly logsFields: boolean;
}

/** Makes a handler of a plugin's options; `O` is the plain data that its `setup.ts` made. */
export type CreateHandler<O = unknown> = (options: O, environment: HandlerEnvironment) => Handler;
