import { CLIENT_BUCKETS, Exchange } from "./exchange.ts";
import { Memory } from "../memory.ts";

/**
 * Of free exchanges per client. `n` greedy ones leave 2 / (2 + n) in the long run. Also limits
 * accumulated answers (DNSBomb).
 */
const FREE_SHARE = 1 / 2;

/**
 * Waiting exchanges. Alone, a client gets at most a third (dynamic thresholds, Choudhury and Hahne,
 * 1998).
 */
export class ExchangePool {
  used = 0;
  readonly #free: Exchange[] = [];
  readonly #limit: number;
  readonly #nothing = new Memory(0);
  readonly #counts = new Int32Array(CLIENT_BUCKETS);

  constructor(limit: number) {
    this.#limit = limit;
  }

  get full(): boolean {
    return this.used >= this.#limit;
  }

  get size(): number {
    return this.used + this.#free.length;
  }

  fresh(): Exchange {
    return this.#free.pop() ?? new Exchange(this.#nothing);
  }

  admit(client: number): boolean {
    if (this.#counts[client]! >= FREE_SHARE * (this.#limit - this.used)) return false;
    this.used++;
    this.#counts[client]!++;
    return true;
  }

  dismiss(client: number): void {
    this.used--;
    this.#counts[client]!--;
  }

  release(exchange: Exchange): void {
    if (!exchange.parked) return;
    this.dismiss(exchange.client);
    exchange.clear();
    this.#free.push(exchange);
  }
}
