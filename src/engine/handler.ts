import type { PluginConfig } from "../config/types.ts";
import type { Address } from "../dns/address.ts";
import type { BufferPool } from "./buffer_pool.ts";
import type { CounterBook } from "./counters.ts";
import type { Chain, Exchange, Verdict } from "./exchange/exchange.ts";
import type { Io } from "./io.ts";
import type { HashKey } from "./question/keyed_hash.ts";
import type { Response } from "./response/response.ts";
import type { ResponseWriter } from "./response/writer.ts";
import type { ServedZone } from "./served.ts";
import type { Timers } from "./timers.ts";

export { ANSWERED, DROP, NEXT, type Verdict, WAIT } from "./exchange/exchange.ts";

/** Severity of a log line, in CoreDNS's words. */
export type LogLevel = "debug" | "info" | "warning" | "error";

/** Values of a log line, for structured logs. */
export type LogFields = Readonly<
  Record<string, string | number | boolean | readonly string[]>
>;

/**
 * One plugin in one server block. Only the methods that a handler has are called, so a plugin without
 * a part in queries costs nothing. No method throws for client or upstream input.
 */
export interface Handler {
  readonly name: string;
  /**
   * It asks upstreams for clients: responses of its block have RA, and it gets queries of every class.
   * Handlers with local data check the class.
   */
  readonly recursive?: boolean;
  /** It gets queries of every class without being recursive. */
  readonly everyClass?: boolean;
  /** Header flags set and cleared in every response of the block. */
  readonly responseFlags?: { readonly set: number; readonly clear: number };
  /** Called once with the finished chain; needed by handlers that send queries (`EngineServices.refresh`). */
  joined?(chain: Chain, handlers: readonly Handler[]): void;
  /** Way down: sees the query, in the order of the chain. */
  query?(exchange: Exchange): Verdict;
  /** Way up: sees the response, nearest handler first. May change `exchange.response`. */
  response?(exchange: Exchange): void;
  /**
   * Called for every finished query of a client with the size of what was sent in bytes, 0 for
   * nothing. Only the first handler of a chain with this method is called.
   */
  sent?(exchange: Exchange, sizeBytes: number): void;
  /** Whether it can work; a handler without this method always can. */
  ready?(): boolean;
  /** Gets data that the control plane has prepared for this plugin (a hosts table, upstreams). */
  receive?(data: unknown): void;
  /** Answers a request of the control plane with plain data; must be quick, because queries wait. */
  ask?(request: unknown): unknown;
  /** Releases timers and sockets when the chain is retired. */
  stop?(): void;
}

/** What a handler gets when it is created. */
export interface HandlerEnvironment {
  /** Zones of the server block, lower-case and fully qualified in presentation format. */
  readonly zones: readonly string[];
  /** Position in the chain. */
  readonly position: number;
  readonly engine: EngineServices;
  /** All plugins of the server block; undefined in tests of one handler. */
  readonly plugins?: readonly PluginConfig[];
  /** The block's zones by listener; undefined in tests of one handler. */
  readonly served?: readonly ServedZone[];
  /** In a reload, the handler of this plugin that served the same zones before; else null. */
  readonly previous?: Handler | null;
}

/** The engine as handlers see it. */
export interface EngineServices {
  /** Monotonic milliseconds, read once a batch. */
  readonly nowMs: number;
  /** Milliseconds since 1970 by the wall clock, NaN without one. */
  readonly wallMs: () => number;
  readonly timers: Timers;
  /** Streams and sockets to upstreams. */
  readonly io: Io;
  /** Buffers for incomplete input of streams. */
  readonly buffers: BufferPool;
  /** Uniform unsigned 32-bit random number, fit for security. */
  readonly random: () => number;
  /** Key of the hashes of questions (`question/keyed_hash.ts`); a secret of this data plane. */
  readonly hashKey: HashKey;
  /** Shared values of the counters; a handler adds to `values[index]`. */
  readonly values: Float64Array;
  /** Index of a counter, allocated on the first call. */
  readonly counter: CounterBook["counter"];
  /** Index of the first bucket of a histogram (`buckets.ts`). */
  readonly histogram: CounterBook["histogram"];
  /** Writer for a handler's own responses, valid until the next query. */
  readonly writer: ResponseWriter;
  /** A response with only the question and this response code. */
  failure(exchange: Exchange, rcode: number): Response;
  /**
   * Parks the exchange, so that it can wait.
   *
   * @returns the exchange, or null if too many wait already
   */
  park(exchange: Exchange): Exchange | null;
  /** Sends `exchange.response` up from the waiting handler and to the client. */
  resume(exchange: Exchange): void;
  /** Passes the query of a waiting handler to the next one in the chain. */
  proceed(exchange: Exchange): void;
  /**
   * Starts an internal query, as the exchange given, below `position`; its response rises to there.
   *
   * @returns false if too many wait already
   */
  refresh(exchange: Exchange, position: number): boolean;
  /** The client's bucket of `CLIENT_BUCKETS`, by its address; 0 for internal queries. */
  clientBucket(exchange: Exchange): number;
  /** Family of the client's address. */
  clientFamily(exchange: Exchange): 4 | 6;
  /** Writes the client's address and port into `target`. */
  clientAddress(exchange: Exchange, target: Address): void;
  /** Writes the address and port that the client asked into `target`. */
  localAddress(exchange: Exchange, target: Address): void;
  /** Queues a log line without level and line feed; `fields` only if `logsFields`. */
  readonly log: (level: LogLevel, line: string, fields?: LogFields) => void;
  /** The log is structured (`-log-format json`). */
  readonly logsFields: boolean;
}

/** Creates a handler from the plain data that the plugin's `setup.ts` made. */
export type CreateHandler<O = unknown> = (options: O, environment: HandlerEnvironment) => Handler;
