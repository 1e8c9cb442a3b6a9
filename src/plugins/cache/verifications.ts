import type { Exchange } from "../../engine/exchange/exchange.ts";
import type { EngineServices } from "../../engine/handler.ts";
import { InFlight, PendingQuestion } from "../../engine/exchange/in_flight.ts";
import { hashSubnet } from "../../engine/question/read.ts";
import type { Timer } from "../../engine/timers.ts";
import { isSameQuestion } from "./question.ts";

/** Finished verifications kept for use again. */
const MAX_SPARE = 256;

/** Exchanges that wait for the same refresh, and until when. */
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
    /** Clients' subnets are part of the question. */
    subnets: boolean;
    /** Answers an exchange whose time is up. */
    timeOut: (waiter: Exchange) => void;
  }) {
    this.#engine = engine;
    this.#subnets = subnets;
    this.#timeOut = timeOut;
    this.#inFlight = new InFlight(engine, "verify");
  }

  /** Lets an exchange wait with those who ask the same; false if it may not, null if nobody does. */
  join(exchange: Exchange): boolean | null {
    const verification = this.#inFlight.find(exchange, this.#hashOf(exchange));
    return verification === null ? null : this.#inFlight.join(verification, exchange);
  }

  /** Lets an exchange wait until `untilMs`; returns it parked, or null if it may not. */
  begin(exchange: Exchange, untilMs: number): Exchange | null {
    const { timers } = this.#engine;
    const verification = this.#spare.pop() ??
      new Verification((made) => timers.create(() => this.#release(made)));
    const parked = this.#inFlight.begin(verification, exchange, this.#hashOf(exchange));
    if (parked === null) this.#keep(verification);
    else timers.set(verification.timer, untilMs);
    return parked;
  }

  /** Ends the wait for the exchange's question: those who waited, chained by `nextWaiter`. */
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
    this.#keep(verification);
    return first;
  }

  #keep(verification: Verification): void {
    if (this.#spare.length < MAX_SPARE) this.#spare.push(verification);
  }

  #release(verification: Verification): void {
    for (let waiter = this.#end(verification); waiter !== null;) {
      const next: Exchange | null = waiter.nextWaiter;
      waiter.nextWaiter = null;
      this.#timeOut(waiter);
      waiter = next;
    }
  }
}
