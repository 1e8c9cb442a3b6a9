import type { Address } from "../../dns/address.ts";
import { RETURNED } from "./board.ts";

/**
 * Outcome of a round of probes:
 *
 * - "marked": a mark returned.
 * - "returned": all names returned, without marks.
 * - "answered": not all returned, one was answered.
 * - "silent": none was answered.
 * - "unsent": none was sent, which proves nothing.
 */
export type Outcome = "marked" | "returned" | "answered" | "silent" | "unsent";

/** First pause after a failure; doubles. */
const STEP_MS = 1000;
/** Pause before a confirming round. */
const CONFIRM_MS = 300;
/** Consecutive rounds of returned names that prove a loop. */
const CONFIRM_ROUNDS = 3;
/** Random: others must not guess it. */
const COPIES = { least: 2, more: 3 } as const;
/** Consecutive rounds without a return that end a loop: datagrams get lost. */
const GONE_ROUNDS = 2;
const RECHECK_MS = 3000;
const MAX_STEP_MS = 30_000;
/** Failures before a rest: some two minutes. */
const MAX_FAILURES = 8;
/** Failing queries and new upstreams end it. */
const REST_MS = 300_000;

/** As seen by `loop`. */
export interface WatchedServer {
  readonly label: string;
  /** In a loop: receives only probes. */
  looping: boolean;
}

/** Of a probe. */
export type Reaction = "answered" | "silent" | "unsent";

/** A mark, or names that return in consecutive rounds, prove a loop. Times are monotonic. */
export class Watch {
  readonly server: WatchedServer;
  nextMs: number;
  foundMs = 0;
  /** Of the last probe; null if received elsewhere. */
  between: { client: Address; local: Address } | null = null;
  /** Names returned in the last round. */
  returned = 0;
  resting = false;
  #left = 0;
  #copies = 0;
  #markReturned = false;
  #reaction: Reaction = "unsent";
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

  /** Returns the round's outcome with its last probe, else null. */
  probeEnded(reaction: Reaction, returned: number): Outcome | null {
    if (returned !== RETURNED.NOT) this.returned++;
    if (returned === RETURNED.MARK) this.#markReturned = true;
    if (reaction === "answered" || this.#reaction === "unsent") this.#reaction = reaction;
    if (--this.#left > 0) return null;
    if (this.#markReturned) return "marked";
    return this.returned === this.#copies ? "returned" : this.#reaction;
  }

  /** Returns true if a loop begins. */
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

  /** Milliseconds before the next round. */
  roundEnded(outcome: Outcome): number {
    if (this.resting) this.restart();
    switch (outcome) {
      case "marked":
        this.markSeen();
        return RECHECK_MS;
      case "returned":
        // Without marks, only several copies prove the loop.
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
      // Repeated soon, in case both were lost.
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
