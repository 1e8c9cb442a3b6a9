import type { Exchange } from "../../engine/exchange/exchange.ts";
import type { EngineServices } from "../../engine/handler.ts";
import { InFlight, PendingQuestion } from "../../engine/exchange/in_flight.ts";
import { hashSubnet } from "../../engine/question/read.ts";
import type { Timer } from "../../engine/timers.ts";
import { isSameQuestion } from "./question.ts";

const MAX_SPARE = 256;

/** Exchanges that wait for the same refresh, and its timeout. */
class Verification extends PendingQuestion {
  readonly timer: Timer;

  constructor(makeTimer: (verification: Verification) => Timer) {
    super();
    this.timer = makeTimer(this);
  }

  override asksFor(exchange: Exchange): boolean {
    return isSameQuestion(this.waiters!, exchange);
  }
}

/** Refreshes that clients wait for, by question: `serve_stale verify` with a timeout. */
export class Verifications {
  readonly #engine: EngineServices;
  readonly #subnets: boolean;
  readonly #timeOut: (waiter: Exchange) => void;
  readonly #inFlight: InFlight<Verification>;
  readonly #spare: Verification[] = [];

  constructor(engine: EngineServices, { subnets, timeOut }: {
    subnets: boolean;
    timeOut: (waiter: Exchange) => void;
  }) {
    this.#engine = engine;
    this.#subnets = subnets;
    this.#timeOut = timeOut;
    this.#inFlight = new InFlight(engine, "verify");
  }

  /** Joins the wait for the same question; false if that is refused, null if there is none. */
  join(exchange: Exchange): boolean | null {
    const verification = this.#inFlight.find(exchange, this.#hashOf(exchange));
    return verification === null ? null : this.#inFlight.join(verification, exchange);
  }

  /** Parks an exchange until `untilMs`; returns it, or null if that is refused. */
  begin(exchange: Exchange, untilMs: number): Exchange | null {
    const { timers } = this.#engine;
    const verification = this.#spare.pop() ??
      new Verification((made) => timers.create(() => this.#expire(made)));
    const parked = this.#inFlight.begin(verification, exchange, this.#hashOf(exchange));
    if (parked === null) this.#recycle(verification);
    else timers.set(verification.timer, untilMs);
    return parked;
  }

  /** Ends the wait for the exchange's question; returns the waiters, chained by `nextWaiter`. */
  take(exchange: Exchange): Exchange | null {
    const verification = this.#inFlight.find(exchange, this.#hashOf(exchange));
    return verification === null ? null : this.#end(verification);
  }

  #hashOf(exchange: Exchange): number {
    return this.#subnets && exchange.ecsLength > 0
      ? hashSubnet(exchange, this.#engine.hashKey)
      : exchange.hash;
  }

  #end(verification: Verification): Exchange | null {
    this.#engine.timers.clear(verification.timer);
    const first = this.#inFlight.end(verification);
    this.#recycle(verification);
    return first;
  }

  #recycle(verification: Verification): void {
    if (this.#spare.length < MAX_SPARE) this.#spare.push(verification);
  }

  #expire(verification: Verification): void {
    for (let waiter = this.#end(verification); waiter !== null;) {
      const next: Exchange | null = waiter.nextWaiter;
      waiter.nextWaiter = null;
      this.#timeOut(waiter);
      waiter = next;
    }
  }
}
