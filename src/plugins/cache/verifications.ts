import type { Exchange } from "../../engine/exchange.ts";
import type { Timer, Timers } from "../../engine/timers.ts";
import { isSameQuestion } from "./question.ts";

/** Exchanges that wait for the same refresh, and until when. */
interface Verification {
  readonly key: number;
  /** Chained by `nextWaiter`; the first one asked for the refresh. */
  waiters: Exchange;
  readonly timer: Timer;
  /** Another one of the same key. */
  next: Verification | null;
}

/** Refreshes that clients wait for, by question: `serve_stale verify` with a timeout. */
export class Verifications {
  readonly #timers: Timers;
  readonly #release: (waiter: Exchange) => void;
  readonly #byKey = new Map<number, Verification>();

  /** @param release - answers an exchange whose time is up */
  constructor(timers: Timers, release: (waiter: Exchange) => void) {
    this.#timers = timers;
    this.#release = release;
  }

  /** Whether somebody waits for an answer to the exchange's question already. */
  has(exchange: Exchange): boolean {
    return this.#find(exchange) !== null;
  }

  /** Lets a parked exchange wait with those who ask the same. */
  join(parked: Exchange): void {
    const { waiters } = this.#find(parked)!;
    parked.nextWaiter = waiters.nextWaiter;
    waiters.nextWaiter = parked;
  }

  /** Lets a parked exchange wait until `untilMs`. */
  begin(parked: Exchange, untilMs: number): void {
    const key = parked.hash;
    const verification: Verification = {
      key,
      waiters: parked,
      timer: this.#timers.create(() => this.#releaseAll(this.#drop(verification))),
      next: this.#byKey.get(key) ?? null,
    };
    this.#byKey.set(key, verification);
    this.#timers.set(verification.timer, untilMs);
  }

  /** Ends the wait for the exchange's question: those who waited, chained by `nextWaiter`. */
  take(exchange: Exchange): Exchange | null {
    const verification = this.#find(exchange);
    return verification === null ? null : this.#drop(verification);
  }

  #find(exchange: Exchange): Verification | null {
    let found = this.#byKey.get(exchange.hash) ?? null;
    while (found !== null && !isSameQuestion(found.waiters, exchange)) found = found.next;
    return found;
  }

  #drop(gone: Verification): Exchange {
    const first = this.#byKey.get(gone.key)!;
    if (first !== gone) {
      let before = first;
      while (before.next !== gone) before = before.next!;
      before.next = gone.next;
    } else if (gone.next === null) {
      this.#byKey.delete(gone.key);
    } else {
      this.#byKey.set(gone.key, gone.next);
    }
    this.#timers.clear(gone.timer);
    return gone.waiters;
  }

  #releaseAll(first: Exchange): void {
    for (let waiter: Exchange | null = first; waiter !== null;) {
      const next: Exchange | null = waiter.nextWaiter;
      waiter.nextWaiter = null;
      this.#release(waiter);
      waiter = next;
    }
  }
}
