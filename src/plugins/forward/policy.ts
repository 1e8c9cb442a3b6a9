import type { ForwardPolicy } from "./options.ts";

/** Puts upstreams in the order in which one query tries them. */
export class UpstreamOrder {
  readonly #policy: ForwardPolicy;
  readonly #count: number;
  readonly #random: () => number;
  #turn = 0;

  constructor(policy: ForwardPolicy, count: number, random: () => number) {
    this.#policy = policy;
    this.#count = count;
    this.#random = random;
  }

  /** Index of the upstream to start with; the others follow in turn. */
  first(): number {
    if (this.#count === 1 || this.#policy === "sequential") return 0;
    if (this.#policy === "random") return this.#random() % this.#count;
    this.#turn = (this.#turn + 1) % this.#count;
    return this.#turn;
  }
}
