import { decodeNotice, NOTICE_GROUPS } from "../../sys/netlink/rtnetlink_messages.ts";
import { NetlinkSocket } from "../../sys/netlink/socket.ts";

const MAX_NOTICES = 256;

const FREE_REPAIRS = 3;
const MIN_DELAY_MS = 1000;
const MAX_DELAY_MS = 30_000;
/** Quiet period before repairs are forgotten. */
const CALM_MS = 60_000;

/** Slows repairs if two programs undo each other. Times are monotonic. */
export class RepairPace {
  count = 0;
  #lastMs = -Infinity;
  #delayMs = 0;

  repaired(nowMs: number): number {
    if (nowMs - this.#lastMs > CALM_MS) this.count = 0;
    this.#lastMs = nowMs;
    const beyond = ++this.count - FREE_REPAIRS;
    this.#delayMs = beyond <= 0 ? 0 : Math.min(MIN_DELAY_MS * 2 ** (beyond - 1), MAX_DELAY_MS);
    return this.#delayMs;
  }

  allows(nowMs: number): boolean {
    return nowMs - this.#lastMs >= this.#delayMs;
  }
}

/** Reads notices of one link without blocking. */
export class InterfaceWatch {
  readonly #socket = new NetlinkSocket(NOTICE_GROUPS);
  readonly #pace: RepairPace;
  // Earlier changes were not reported.
  #pending = true;

  constructor(pace: RepairPace) {
    this.#pace = pace;
  }

  /** Whether to check now: notices arrived or were lost, and the pace allows it. */
  look(watched: { name: string; index: number }, nowMs: number): boolean {
    const messages = this.#socket.takeNotices(MAX_NOTICES);
    if (messages === null) this.#pending = true;
    for (const message of messages ?? []) {
      const notice = decodeNotice(message);
      if (notice === null) continue;
      if (notice.index === watched.index || notice.name === watched.name) this.#pending = true;
    }
    if (!this.#pending || !this.#pace.allows(nowMs)) return false;
    this.#pending = false;
    return true;
  }

  close(): void {
    this.#socket.close();
  }
}
