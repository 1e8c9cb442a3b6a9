import { NetlinkSocket } from "../../sys/netlink/socket.ts";
import { decodeNotice, NOTICE_GROUPS } from "../../sys/netlink/rtnetlink_messages.ts";
import type { MendPace } from "./mend_pace.ts";

/** Most notices read at a look; what is left is read at the next. */
const MAX_NOTICES = 256;

/** Which link is watched. */
export interface Watched {
  readonly name: string;
  /** Its index, or that of the link that has its place; 0 while there is none. */
  readonly index: number;
}

/** The kernel's notices of changes to one link and its addresses, read without waiting. */
export class InterfaceWatch {
  readonly #socket = new NetlinkSocket(NOTICE_GROUPS);
  readonly #pace: MendPace;
  // Changes before the socket was open are not reported.
  #pending = true;

  /** Throws if no netlink socket can be opened. */
  constructor(pace: MendPace) {
    this.#pace = pace;
  }

  /**
   * Whether the link is to be looked at now: there was a notice of it, or notices were lost, and
   * the pace allows it. One that it does not allow yet is kept.
   */
  look(watched: Watched, nowMs: number): boolean {
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

  /** Ends it; no more looks after that. */
  close(): void {
    this.#socket.close();
  }
}
