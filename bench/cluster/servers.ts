import type { Agenda } from "./agenda.ts";
import type { Measures } from "./measures.ts";
import type { Query } from "./names.ts";
import { PARAMETERS } from "./parameters.ts";

/** Servers queried by nodes: the cluster DNS and an outside resolver. */
export class Servers {
  /** Queries to the cluster DNS are lost. */
  down = false;
  readonly #agenda: Agenda;
  readonly #random: () => number;
  readonly #measures: Measures;
  readonly #serviceMs: number;
  #busyUntilMs = 0;

  constructor(
    agenda: Agenda,
    options: { perSecond: number; random: () => number; measures: Measures },
  ) {
    this.#agenda = agenda;
    this.#serviceMs = 1000 / options.perSecond;
    this.#random = options.random;
    this.#measures = options.measures;
  }

  /** Time until the answer, or -1 if lost; `query` is undefined for a health check. */
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

  /** Round-trip time to an idle cluster DNS, or -1. */
  knock(): number {
    return this.down ? -1 : PARAMETERS.clusterLatencyMs.least;
  }

  /** Time until the outside resolver's answer. */
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
