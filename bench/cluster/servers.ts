import type { Agenda } from "./agenda.ts";
import type { Measures } from "./measures.ts";
import type { Query } from "./names.ts";
import { PARAMETERS } from "./parameters.ts";

/** The servers that nodes query: the cluster DNS and a resolver outside. */
export class Servers {
  /** The cluster DNS is down: queries to it are lost. */
  down = false;
  readonly #agenda: Agenda;
  readonly #random: () => number;
  readonly #measures: Measures;
  readonly #serviceMs: number;
  #busyUntilMs = 0;

  /** @param perSecond - queries that the cluster DNS can answer a second */
  constructor(
    agenda: Agenda,
    options: { perSecond: number; random: () => number; measures: Measures },
  ) {
    this.#agenda = agenda;
    this.#serviceMs = 1000 / options.perSecond;
    this.#random = options.random;
    this.#measures = options.measures;
  }

  /**
   * Takes a query to the cluster DNS; the time until its answer is back, or -1 if it is lost.
   *
   * @param query - undefined for a health check
   */
  askCluster(query: Query | undefined): number {
    const { nowMs } = this.#agenda;
    this.#measures.sentToCluster(nowMs, query);
    if (this.down) return -1;
    const startsMs = Math.max(this.#busyUntilMs, nowMs);
    if (startsMs - nowMs > PARAMETERS.maxQueueMs) return -1;
    this.#busyUntilMs = startsMs + this.#serviceMs;
    const { least, more } = PARAMETERS.clusterLatencyMs;
    return this.#busyUntilMs - nowMs + least + exponential(more, this.#random);
  }

  /** Time for a round trip to the cluster DNS without work there, or -1. */
  knock(): number {
    return this.down ? -1 : PARAMETERS.clusterLatencyMs.least;
  }

  /** Takes a query to the resolver outside; the time until its answer is back. */
  askOutside(): number {
    this.#measures.sentOutside(this.#agenda.nowMs);
    const { least, more, recursionShare, recursion } = PARAMETERS.outsideLatencyMs;
    const slow = this.#random() < recursionShare ? exponential(recursion, this.#random) : 0;
    return least + exponential(more, this.#random) + slow;
  }
}

function exponential(mean: number, random: () => number): number {
  return -mean * Math.log(1 - random());
}
