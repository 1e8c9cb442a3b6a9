import type { Address } from "../../dns/address.ts";
import { RETURNED } from "./board.ts";

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

/** An upstream server, as `loop` sees it. */
export interface WatchedServer {
  readonly label: string;
  /** It leads into a loop and gets only probes. */
  looping: boolean;
}

/** How a probe was answered. */
export type Reaction = "answered" | "silent" | "unsent";

/**
 * Probes one upstream in rounds, decides whether it leads into a loop (`server.looping`), and when the
 * next round is due. A mark proves a loop at once. Where options are stripped, all names must return
 * in several consecutive rounds. Times are monotonic milliseconds.
 */
export class Watch {
  readonly server: WatchedServer;
  nextMs: number;
  /** When the loop was found. */
  foundMs = 0;
  /** Client and local address of the last returned probe; null if none came to this data plane. */
  between: { client: Address; local: Address } | null = null;
  /** Names that returned in the last round. */
  returned = 0;
  resting = false;
  /** Probes of the round that have not ended. */
  #left = 0;
  #copies = 0;
  #markReturned = false;
  #reaction: Reaction = "unsent";
  /** Marks prove the loop. */
  #marked = false;
  #rounds = 0;
  #missed = 0;
  #failures = 0;

  constructor(server: WatchedServer, nextMs: number) {
    this.server = server;
    // The handler before a reload may have set it.
    server.looping = false;
    this.nextMs = nextMs;
  }

  get busy(): boolean {
    return this.#left > 0;
  }

  copies(random: () => number): number {
    const certain = this.#rounds === 0 && (!this.server.looping || this.#marked);
    return certain ? 1 : COPIES.least + random() % COPIES.more;
  }

  begin(copies: number): void {
    this.#left = copies;
    this.#copies = copies;
    this.#markReturned = false;
    this.returned = 0;
    this.#reaction = "unsent";
  }

  /** Records the end of a probe; returns the outcome of the round with its last probe, else null. */
  probeEnded(reaction: Reaction, returned: number): Outcome | null {
    if (returned !== RETURNED.NOT) this.returned++;
    if (returned === RETURNED.MARK) this.#markReturned = true;
    if (reaction === "answered" || this.#reaction === "unsent") this.#reaction = reaction;
    if (--this.#left > 0) return null;
    if (this.#markReturned) return "marked";
    return this.returned === this.#copies ? "returned" : this.#reaction;
  }

  /** Records a returned mark. Returns true if that is the beginning of a loop. */
  markSeen(): boolean {
    const begins = !this.server.looping;
    this.restart();
    this.server.looping = true;
    this.#marked = true;
    return begins;
  }

  restart(): void {
    this.#rounds = 0;
    this.#missed = 0;
    this.#failures = 0;
    this.resting = false;
  }

  /** Records the end of a round. Returns the pause before the next one in milliseconds. */
  roundEnded(outcome: Outcome): number {
    if (this.resting) this.restart();
    switch (outcome) {
      case "marked":
        this.markSeen();
        return RECHECK_MS;
      case "returned":
        // Without marks, only several copies prove that the loop still exists.
        this.#marked = false;
        this.#missed = 0;
        this.#failures = 0;
        if (!this.server.looping && ++this.#rounds < CONFIRM_ROUNDS) return CONFIRM_MS;
        this.server.looping = true;
        return RECHECK_MS;
      case "unsent":
        return this.server.looping ? RECHECK_MS : this.#failed();
      default:
        this.#rounds = 0;
    }
    if (this.server.looping) {
      if (++this.#missed < GONE_ROUNDS) return CONFIRM_MS;
      this.server.looping = false;
      // One more round follows soon, in case both were lost.
      this.restart();
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
