import type { Address } from "../../dns/address.ts";
import { RETURNED } from "./board.ts";
import { type Outcome, Schedule } from "./schedule.ts";

/** An upstream of the block, as `loop` sees it. */
export interface WatchedServer {
  /** Its name in messages. */
  readonly label: string;
  /** It gets nothing but probes. */
  looping: boolean;
}

/** How a probe was answered. */
export type Heard = "answered" | "silent" | "unsent";

/** What is known of one upstream, and the round of probes that is out to it. */
export class Watch {
  readonly server: WatchedServer;
  readonly schedule = new Schedule();
  /** When the next round is due, in monotonic milliseconds. */
  nextMs: number;
  /** When the loop was found, in monotonic milliseconds. */
  foundMs = 0;
  /** Where a probe came back from last, and to; null if none came to this data plane. */
  between: { client: Address; local: Address } | null = null;
  /** Probes of the round that have not ended; 0 between two rounds. */
  #left = 0;
  #copies = 0;
  #marked = false;
  #returned = 0;
  #heard: Heard = "unsent";

  constructor(server: WatchedServer, nextMs: number) {
    this.server = server;
    this.nextMs = nextMs;
  }

  /** A round is out. */
  get busy(): boolean {
    return this.#left > 0;
  }

  /** Names that have come back in the round that is over. */
  get returned(): number {
    return this.#returned;
  }

  /** Begins a round of so many probes. */
  begin(copies: number): void {
    this.#left = copies;
    this.#copies = copies;
    this.#marked = false;
    this.#returned = 0;
    this.#heard = "unsent";
  }

  /** A probe of the round has ended; returns how the round did if it was the last, else null. */
  ended(heard: Heard, returned: number): Outcome | null {
    if (returned !== RETURNED.NOT) this.#returned++;
    if (returned === RETURNED.MARK) this.#marked = true;
    if (heard === "answered" || this.#heard === "unsent") this.#heard = heard;
    if (--this.#left > 0) return null;
    if (this.#marked) return "marked";
    return this.#returned === this.#copies ? "returned" : this.#heard;
  }
}
