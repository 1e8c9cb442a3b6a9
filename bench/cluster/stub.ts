import type { Agenda } from "./agenda.ts";
import type { Measures } from "./measures.ts";
import { OUTCOME, type Outcome, type Query } from "./names.ts";
import { PARAMETERS } from "./parameters.ts";
import type { Target } from "./workload.ts";

/** DNS service for a node's pods. */
export interface NodeDns {
  /**
   * Returns an immediate outcome, or `WAITS`; `done` then follows, or never if the query is lost.
   */
  ask(query: Query, client: number, done: (outcome: Outcome) => void): Outcome;
  /** The node goes down; waiting queries are dropped. */
  stop(): void;
  /** The node returns after `downMs`. */
  start(downMs: number): void;
}

/**
 * A lookup by glibc's getaddrinfo: A and AAAA together, for each name of the search list.
 *
 * A failure or silence is retried once; two SERVFAILs lead to the next name, two silences to the
 * last. No `single-request`, no cache.
 */
export class Lookup {
  readonly #world: { agenda: Agenda; measures: Measures; dns: NodeDns; alive: () => boolean };
  readonly #target: Target;
  readonly #client: number;
  readonly #startMs: number;
  #step = 0;
  #attempt = 0;
  /** Counts attempts, to ignore late answers and old timers. */
  #round = 0;
  #pending = 0;
  #answered = false;
  #failed = false;

  constructor(
    world: { agenda: Agenda; measures: Measures; dns: NodeDns; alive: () => boolean },
    { target, client }: { target: Target; client: number },
  ) {
    this.#world = world;
    this.#target = target;
    this.#client = client;
    this.#startMs = world.agenda.nowMs;
  }

  send(): void {
    const { agenda } = this.#world;
    const { a, aaaa } = this.#target.steps[this.#step]!;
    const round = ++this.#round;
    this.#pending = 2;
    this.#answered = this.#failed = false;
    this.#ask(a, round);
    this.#ask(aaaa, round);
    if (round !== this.#round) return;
    agenda.after(PARAMETERS.clientTimeoutMs, () => {
      if (round === this.#round && this.#world.alive()) this.#next(true);
    });
  }

  #ask(query: Query, round: number): void {
    const { agenda, measures, dns, alive } = this.#world;
    const outcome = dns.ask(query, this.#client, (later) => {
      if (alive()) this.#take(later, round);
    });
    measures.asked(agenda.nowMs, outcome !== OUTCOME.WAITS && outcome !== OUTCOME.FAILED);
    if (outcome !== OUTCOME.WAITS) this.#take(outcome, round);
  }

  #take(outcome: Outcome, round: number): void {
    if (round !== this.#round) return;
    if (outcome === OUTCOME.ANSWER) this.#answered = true;
    if (outcome === OUTCOME.FAILED) this.#failed = true;
    if (--this.#pending === 0) this.#next(false);
  }

  #next(silent: boolean): void {
    this.#round++;
    if (this.#answered) return this.#end(true);
    const last = this.#target.steps.length - 1;
    if ((silent || this.#failed) && ++this.#attempt < PARAMETERS.clientAttempts) {
      return this.send();
    }
    this.#attempt = 0;
    if (this.#step === last) return this.#end(false);
    this.#step = silent ? last : this.#step + 1;
    this.send();
  }

  #end(good: boolean): void {
    const { agenda, measures } = this.#world;
    measures.lookedUp(this.#startMs, agenda.nowMs, good);
  }
}
