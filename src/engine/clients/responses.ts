import type { ListenerConfig } from "../../config/types.ts";
import { Address } from "../../dns/address.ts";
import { EDE, MAX_MESSAGE_SIZE, MIN_UDP_PAYLOAD } from "../../dns/constants.ts";
import { compose, composeTruncated, limitOf } from "./compose.ts";
import { COUNTER } from "../counters.ts";
import { type Exchange, TCP } from "../exchange/exchange.ts";
import type { EngineServices } from "../handler.ts";
import type { Memory } from "../memory.ts";
import type { Response } from "../response/response.ts";
import type { HashKey } from "../question/keyed_hash.ts";
import { ResponseLimiter } from "../response/limiter.ts";

/**
 * How long a UDP query may wait for its answer, unless `timeouts` says otherwise: unbound's
 * `discard-timeout`. Whoever collects waiting queries for an address that is not his, to have all
 * answers sent at one moment (DNSBomb, IEEE S&P 2024), has no more than this time for it.
 */
export const DISCARD_MS = 1900;

/** Writes responses for clients, and decides which are not sent, or not whole, because of UDP. */
export class ClientResponses {
  readonly #engine: EngineServices;
  readonly #limiter: ResponseLimiter;
  readonly #address = new Address();
  /** How long UDP queries may wait, by listener; 0 for any time. */
  #discardMs: readonly number[] = [];

  /** @param key - for the hash of client networks */
  constructor(engine: EngineServices, key: HashKey) {
    this.#engine = engine;
    this.#limiter = new ResponseLimiter(key);
  }

  /** Takes over how long the UDP queries of each listener may wait. */
  configure(listeners: readonly ListenerConfig[]): void {
    this.#discardMs = listeners.map(({ timeouts }) => timeouts?.discardMs ?? DISCARD_MS);
  }

  /**
   * Writes the response that the client gets.
   *
   * More large UDP responses to one network than `exchange.rate` allows go out truncated, without
   * any record: they are no larger than the query, and whoever is there asks again over TCP. None is
   * dropped, because that would spare a victim nothing and cost a client its time-out.
   *
   * @returns length of the message in bytes
   */
  write(exchange: Exchange, response: Response, out: Memory, outOffset: number): number {
    if (exchange.transport === TCP) {
      return compose(exchange, response, out, outOffset, MAX_MESSAGE_SIZE);
    }
    const length = compose(exchange, response, out, outOffset, limitOf(exchange));
    const { rate } = exchange;
    if (length <= MIN_UDP_PAYLOAD || rate === null) return length;
    this.#engine.clientAddress(exchange, this.#address);
    if (this.#limiter.allows(this.#address, rate, this.#engine.nowMs)) return length;
    this.#engine.values[COUNTER.LIMITED]!++;
    return composeTruncated(exchange, response, out, outOffset);
  }

  /**
   * Whether a UDP query has waited for too long to get this response; counts it.
   *
   * What is sent because asking has failed is sent however late, and spares the client its time-out:
   * a failure is no larger than the query but for extended errors, and a stale answer comes no
   * later than the upstreams' own time-outs.
   */
  discards(exchange: Exchange, { ttlCount }: Response): boolean {
    // A listener that a reload removed has no place any more.
    const limitMs = this.#discardMs[exchange.listener] ?? DISCARD_MS;
    const waitedMs = this.#engine.nowMs - exchange.receivedMs;
    if (limitMs === 0 || waitedMs <= limitMs || ttlCount === 0 || isStale(exchange)) return false;
    this.#engine.values[COUNTER.DISCARDED]!++;
    return true;
  }
}

/** The response is a stale one out of the cache (RFC 8767). */
function isStale({ extendedError }: Exchange): boolean {
  return extendedError === EDE.STALE || extendedError === EDE.STALE_NXDOMAIN;
}
