import type { Address } from "../../dns/address.ts";
import { RETURNED } from "./board.ts";
import { type Outcome, Schedule } from "./schedule.ts";

/** An upstream server, as `loop` sees it. */
export interface WatchedServer {
  readonly label: string;
  /** It leads into a loop and gets only probes. */
  looping: boolean;
}

/** How a probe was answered. */
export type Reaction = "answered" | "silent" | "unsent";

/** One upstream and its current round of probes. Times are monotonic milliseconds. */
export class Watch {
  readonly server: WatchedServer;
  readonly schedule = new Schedule();
  nextMs: number;
  foundMs = 0;
  /** Client and local address of the last returned probe; null if none came to this data plane. */
  between: { client: Address; local: Address } | null = null;
  returned = 0;
  #left = 0;
  #copies = 0;
  #marked = false;
  #reaction: Reaction = "unsent";

  constructor(server: WatchedServer, nextMs: number) {
    this.server = server;
    this.nextMs = nextMs;
  }

  get busy(): boolean {
    return this.#left > 0;
  }

  begin(copies: number): void {
    this.#left = copies;
    this.#copies = copies;
    this.#marked = false;
    this.returned = 0;
    this.#reaction = "unsent";
  }

  /** Records the end of a probe; returns the outcome of the round with its last probe, else null. */
  ended(reaction: Reaction, returned: number): Outcome | null {
    if (returned !== RETURNED.NOT) this.returned++;
    if (returned === RETURNED.MARK) this.#marked = true;
    if (reaction === "answered" || this.#reaction === "unsent") this.#reaction = reaction;
    if (--this.#left > 0) return null;
    if (this.#marked) return "marked";
    return this.returned === this.#copies ? "returned" : this.#reaction;
  }
}
