/**
 * How a round of probes to one upstream ended:
 *
 * - "marked": a probe came back with its mark.
 * - "returned": the names of all probes came back, without marks.
 * - "answered": not all came back, and somebody has answered.
 * - "silent": nothing was heard of them.
 * - "unsent": they never left, which says nothing.
 */
export type Outcome = "marked" | "returned" | "answered" | "silent" | "unsent";

/** Pause between two rounds as long as nothing is known, in milliseconds. */
const STEP_MS = 1000;
/** Pause before the next round where one is to confirm the last: queries go round, or fail, meanwhile. */
const CONFIRM_MS = 300;
/** Rounds in a row whose names must all come back before that shows a loop. */
const CONFIRM_ROUNDS = 3;
/** Probes in such a round, but the first: by chance, so that nobody can know how many to send. */
const COPIES = { least: 2, more: 3 } as const;
/** Rounds in a row that must not come back before a loop is gone: any datagram may get lost. */
const GONE_ROUNDS = 2;
/** Pause before the next round while there is a loop. */
const RECHECK_MS = 3000;
/** Longest pause after failures. */
const MAX_STEP_MS = 30_000;
/** Failures after which it is given up: some two minutes where nobody answers. */
const MAX_FAILURES = 8;
/**
 * Pause between two rounds while all is well. A loop that comes up later shows in failing queries,
 * or follows a change of upstreams, and both start a round at once; the rest may be rare, since each
 * probe is a query for a name that nobody has.
 */
const REST_MS = 300_000;

/**
 * When the next round of probes to an upstream is due, of how many, and whether it leads into a loop:
 * a machine without clock or queries.
 *
 * A mark that comes back shows a loop at once. Where options are taken off on the way, names must
 * come back as often as they were sent, several rounds in a row; who has seen one and sends it again
 * shows nothing. Once two rounds in a row have not come back, the loop is gone.
 */
export class Schedule {
  looping = false;
  /** The loop shows in marks. */
  #marked = false;
  /** Rounds in a row whose names have all come back. */
  #rounds = 0;
  /** Rounds in a row that have not come back while there is a loop. */
  #missed = 0;
  #failures = 0;
  #resting = false;

  /** All is well, and nothing is due for a long while. */
  get resting(): boolean {
    return this.#resting;
  }

  /** Probes in the next round. */
  copies(random: () => number): number {
    const certain = this.#rounds === 0 && (!this.looping || this.#marked);
    return certain ? 1 : COPIES.least + random() % COPIES.more;
  }

  /** A probe has come back with its mark. Returns true if that is news. */
  seen(): boolean {
    const news = !this.looping;
    this.begin();
    this.looping = true;
    this.#marked = true;
    return news;
  }

  /** Starts from the beginning. */
  begin(): void {
    this.#rounds = 0;
    this.#missed = 0;
    this.#failures = 0;
    this.#resting = false;
  }

  /** Takes in how a round ended. Returns the pause before the next one in milliseconds. */
  ended(outcome: Outcome): number {
    if (this.#resting) this.begin();
    switch (outcome) {
      case "marked":
        this.seen();
        return RECHECK_MS;
      case "returned":
        return this.#returned();
      case "unsent":
        return this.looping ? RECHECK_MS : this.#failed();
      default:
        this.#rounds = 0;
    }
    if (this.looping) {
      if (++this.#missed < GONE_ROUNDS) return CONFIRM_MS;
      this.looping = false;
      // Another round follows, in case that was said too soon.
      this.begin();
      return STEP_MS;
    }
    return outcome === "answered" ? this.#rest() : this.#failed();
  }

  #returned(): number {
    // Where there are no marks any more, it takes copies.
    this.#marked = false;
    this.#missed = 0;
    this.#failures = 0;
    if (!this.looping && ++this.#rounds < CONFIRM_ROUNDS) return CONFIRM_MS;
    this.looping = true;
    return RECHECK_MS;
  }

  #failed(): number {
    if (++this.#failures >= MAX_FAILURES) return this.#rest();
    return Math.min(STEP_MS * 2 ** (this.#failures - 1), MAX_STEP_MS);
  }

  #rest(): number {
    this.#failures = 0;
    this.#resting = true;
    return REST_MS;
  }
}
