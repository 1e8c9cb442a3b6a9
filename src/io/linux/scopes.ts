import { EPOLL } from "../../sys/constants.ts";
import type { Libc } from "../../sys/libc.ts";
import { LINK_NOTICES } from "../../sys/netlink/rtnetlink_messages.ts";
import { NetlinkSocket } from "../../sys/netlink/socket.ts";
import { scopeIndex } from "../../sys/sockaddr.ts";
import type { Poller } from "./poller.ts";

/** The rest wakes the poller again. */
const MAX_NOTICES = 64;

/** `fe80::1%eth0`. Without netlink, look up again if one fails. */
export class Scopes {
  /** Grows with each link change. */
  generation = 0;
  readonly #libc: Libc;
  readonly #poller: Poller;
  #socket: NetlinkSocket | null = null;
  #isWatching = false;

  constructor(libc: Libc, poller: Poller) {
    this.#libc = libc;
    this.#poller = poller;
  }

  /** Or 0. */
  index(scope: string): number {
    if (scope === "") return 0;
    if (!this.#isWatching) this.#watch();
    return scopeIndex(this.#libc, scope);
  }

  close(): void {
    if (this.#socket === null) return;
    this.#poller.remove(this.#socket.fd);
    this.#socket.close();
    this.#socket = null;
  }

  #watch(): void {
    this.#isWatching = true;
    try {
      this.#socket = new NetlinkSocket(LINK_NOTICES);
    } catch {
      return;
    }
    const socket = this.#socket;
    const ready = () => {
      socket.takeNotices(MAX_NOTICES);
      this.generation++;
    };
    this.#poller.add(socket.fd, EPOLL.IN, { ready });
  }
}
