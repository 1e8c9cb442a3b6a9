/**
 * How a probe ended: it came back; it was answered by somebody else; nothing was heard of it; or it
 * never left, which says nothing.
 */
export type Outcome = "seen" | "answered" | "silent" | "unsent";

/** Pause between two probes of a round in milliseconds. */
const STEP_MS = 1000;
/** Pause before the next probe while there is a loop. */
const RECHECK_MS = 3000;
/** Longest pause within a round, after failures. */
const MAX_STEP_MS = 30_000;
/** Failures after which a round is given up: some two minutes where nobody answers. */
const MAX_FAILURES = 8;
/**
 * Pause between two rounds while all is well. A loop that comes up later shows in failing queries,
 * or follows a change of upstreams, and both start a round at once; the rest may be rare, since each
 * probe is a query for a name that nobody has.
 */
const REST_MS = 300_000;
/** Upstreams for which a round is made longer. */
const MAX_UPSTREAMS = 3;

/**
 * When the next probe is due, and whether there is a loop: a machine without clock or queries.
 *
 * A round is over once enough probes in a row have not come back: one is enough with one upstream;
 * with several, of which a single one may lead into the loop, it takes more until each has most
 * likely been asked. While there is a loop it takes twice as many: to say too soon that it is gone
 * makes clients wait for nothing, and the log say so over and over.
 */
export class Schedule {
  /** A probe came back, and not enough have stayed away since. */
  looping = false;
  #good = 0;
  #failures = 0;
  #resting = false;

  /** All is well, and nothing is due for a long while. */
  get resting(): boolean {
    return this.#resting;
  }

  /** A probe has come back. Returns true where that is news. */
  seen(): boolean {
    this.begin();
    if (this.looping) return false;
    this.looping = true;
    return true;
  }

  /** Starts a new round. */
  begin(): void {
    this.#good = 0;
    this.#failures = 0;
    this.#resting = false;
  }

  /** Takes in how a probe ended. Returns the pause before the next one in milliseconds. */
  ended(outcome: Outcome, upstreams: number): number {
    if (this.#resting) this.begin();
    if (outcome === "seen") return RECHECK_MS;
    const others = Math.max(0, Math.min(upstreams, MAX_UPSTREAMS) - 1);
    const needed = 1 + (this.looping ? 7 : 3) * others;
    if (this.looping) {
      if (outcome === "unsent") return RECHECK_MS;
      if (++this.#good < needed) return STEP_MS;
      this.looping = false;
      // A round as at the start follows, in case that was said too soon.
      this.begin();
      return STEP_MS;
    }
    if (outcome === "answered") {
      this.#failures = 0;
      if (++this.#good < needed) return STEP_MS;
    } else if (++this.#failures < MAX_FAILURES) {
      return Math.min(STEP_MS * 2 ** (this.#failures - 1), MAX_STEP_MS);
    }
    this.#resting = true;
    return REST_MS;
  }
}
