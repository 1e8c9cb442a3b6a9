import type { ListenerConfig } from "../../config/types.ts";
import { Address } from "../../dns/address.ts";
import { EDE, MAX_MESSAGE_SIZE, MIN_UDP_PAYLOAD } from "../../dns/constants.ts";
import { COUNTER } from "../counters.ts";
import { type Exchange, TCP } from "../exchange/exchange.ts";
import type { EngineServices } from "../handler.ts";
import type { Memory } from "../memory.ts";
import type { HashKey } from "../question/keyed_hash.ts";
import { ResponseLimiter } from "../response/limiter.ts";
import type { Response } from "../response/response.ts";
import { compose, composeTruncated, limitOf } from "./compose.ts";

/** unbound's `discard-timeout`; limits accumulated answers (DNSBomb, IEEE S&P 2024). */
export const DISCARD_MS = 1900;

/** Writes responses; truncates or discards some over UDP. */
export class ClientResponses {
  readonly #engine: EngineServices;
  readonly #limiter: ResponseLimiter;
  readonly #address = new Address();
  /** By listener; 0 for no limit. */
  #discardMs: readonly number[] = [];

  constructor(engine: EngineServices, key: HashKey) {
    this.#engine = engine;
    this.#limiter = new ResponseLimiter(key);
  }

  configure(listeners: readonly ListenerConfig[]): void {
    this.#discardMs = listeners.map(({ timeouts }) => timeouts?.discardMs ?? DISCARD_MS);
  }

  /** Truncates large UDP responses above `exchange.rate`; real clients retry over TCP. */
  write(exchange: Exchange, out: Memory, outOffset: number): number {
    if (exchange.transport === TCP) {
      return compose(exchange, out, outOffset, MAX_MESSAGE_SIZE);
    }
    const length = compose(exchange, out, outOffset, limitOf(exchange));
    const { rate } = exchange;
    if (length <= MIN_UDP_PAYLOAD || rate === null) return length;
    this.#engine.clientAddress(exchange, this.#address);
    if (this.#limiter.allows(this.#address, rate, this.#engine.nowMs)) return length;
    this.#engine.values[COUNTER.LIMITED]!++;
    return composeTruncated(exchange, out, outOffset);
  }

  /** Of UDP queries after too long. Failures (small) and stale answers are always sent. */
  discards(exchange: Exchange, { ttlCount }: Response): boolean {
    // Removed listeners have no entry.
    const limitMs = this.#discardMs[exchange.listener] ?? DISCARD_MS;
    const waitedMs = this.#engine.nowMs - exchange.receivedMs;
    const { extendedError } = exchange;
    const stale = extendedError === EDE.STALE || extendedError === EDE.STALE_NXDOMAIN;
    if (limitMs === 0 || waitedMs <= limitMs || ttlCount === 0 || stale) return false;
    this.#engine.values[COUNTER.DISCARDED]!++;
    return true;
  }
}
