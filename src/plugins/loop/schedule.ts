/**
 * How a round of probes to one upstream ended:
 *
 * - "marked": a probe returned with its mark.
 * - "returned": the names of all probes returned, without marks.
 * - "answered": not all returned, and at least one was answered.
 * - "silent": none was answered.
 * - "unsent": none was sent, which is no evidence.
 */
export type Outcome = "marked" | "returned" | "answered" | "silent" | "unsent";

/** First pause after a failure; it doubles with each consecutive one. */
const STEP_MS = 1000;
/** Pause before a round that confirms the last one. */
const CONFIRM_MS = 300;
/** Consecutive rounds whose names must all return to prove a loop. */
const CONFIRM_ROUNDS = 3;
/** Probes in such a round after the first; random, so that nobody knows how many to send. */
const COPIES = { least: 2, more: 3 } as const;
/** Consecutive rounds that must not return before a loop counts as gone: datagrams get lost. */
const GONE_ROUNDS = 2;
const RECHECK_MS = 3000;
const MAX_STEP_MS = 30_000;
/** Failures before the next rest, after some two minutes without an answer. */
const MAX_FAILURES = 8;
/** Pause without a loop. Failing queries and new upstreams start a round at once. */
const REST_MS = 300_000;

/**
 * Decides whether an upstream leads into a loop, and when the next round is due. A mark proves a loop
 * at once. Where options are stripped, all names must return in several consecutive rounds.
 */
export class Schedule {
  looping = false;
  /** No loop, and no round due for `REST_MS`. */
  resting = false;
  #marked = false;
  /** Consecutive rounds whose names have all returned. */
  #rounds = 0;
  /** Consecutive rounds that have not returned, during a loop. */
  #missed = 0;
  #failures = 0;

  copies(random: () => number): number {
    const certain = this.#rounds === 0 && (!this.looping || this.#marked);
    return certain ? 1 : COPIES.least + random() % COPIES.more;
  }

  /** Records a returned mark. Returns true if that is the beginning of a loop. */
  seen(): boolean {
    const begins = !this.looping;
    this.begin();
    this.looping = true;
    this.#marked = true;
    return begins;
  }

  begin(): void {
    this.#rounds = 0;
    this.#missed = 0;
    this.#failures = 0;
    this.resting = false;
  }

  /** Records the end of a round. Returns the pause before the next one in milliseconds. */
  ended(outcome: Outcome): number {
    if (this.resting) this.begin();
    switch (outcome) {
      case "marked":
        this.seen();
        return RECHECK_MS;
      case "returned":
        // Without marks, only several copies prove that the loop still exists.
        this.#marked = false;
        this.#missed = 0;
        this.#failures = 0;
        if (!this.looping && ++this.#rounds < CONFIRM_ROUNDS) return CONFIRM_MS;
        this.looping = true;
        return RECHECK_MS;
      case "unsent":
        return this.looping ? RECHECK_MS : this.#failed();
      default:
        this.#rounds = 0;
    }
    if (this.looping) {
      if (++this.#missed < GONE_ROUNDS) return CONFIRM_MS;
      this.looping = false;
      // One more round follows soon, in case both were lost.
      this.begin();
      return STEP_MS;
    }
    return outcome === "answered" ? this.#rest() : this.#failed();
  }

  #failed(): number {
    if (++this.#failures >= MAX_FAILURES) return this.#rest();
    return Math.min(STEP_MS * 2 ** (this.#failures - 1), MAX_STEP_MS);
  }

  #rest(): number {
    this.#failures = 0;
    this.resting = true;
    return REST_MS;
  }
}
