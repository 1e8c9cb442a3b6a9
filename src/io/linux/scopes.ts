import { EPOLL } from "../../sys/constants.ts";
import type { Libc } from "../../sys/libc.ts";
import { NetlinkSocket } from "../../sys/netlink/socket.ts";
import { LINK_NOTICES } from "../../sys/netlink/rtnetlink_messages.ts";
import { scopeIndex } from "../../sys/sockaddr.ts";
import type { Poller } from "./poller.ts";

/** Most notices read at a time; what is left wakes the poller again. */
const MAX_NOTICES = 64;

/**
 * Indexes of the interfaces that the scopes of link-local addresses name (`fe80::1%eth0`).
 *
 * An interface that is made anew has another index, and one that was renamed has passed its name on,
 * so indexes are good only until the kernel tells of a change to any link. Without such notices
 * (no netlink) a caller still looks again when an index fails.
 */
export class Scopes {
  readonly #libc: Libc;
  readonly #poller: Poller;
  #socket: NetlinkSocket | null = null;
  #isWatching = false;
  #generation = 0;

  constructor(libc: Libc, poller: Poller) {
    this.#libc = libc;
    this.#poller = poller;
  }

  /** Grows with each change to the links; indexes of another generation may be wrong. */
  get generation(): number {
    return this.#generation;
  }

  /** Index of the interface that a scope names now; 0 for none. */
  index(scope: string): number {
    if (scope === "") return 0;
    if (!this.#isWatching) this.#watch();
    return scopeIndex(this.#libc, scope);
  }

  /** Stops watching. */
  close(): void {
    if (this.#socket === null) return;
    this.#poller.remove(this.#socket.fd);
    this.#socket.close();
    this.#socket = null;
  }

  /** Begins with the first scope, since few configurations have any. */
  #watch(): void {
    this.#isWatching = true;
    let socket: NetlinkSocket;
    try {
      socket = new NetlinkSocket(LINK_NOTICES);
    } catch {
      return;
    }
    this.#socket = socket;
    this.#poller.add(socket.fd, EPOLL.IN, {
      ready: () => {
        socket.takeNotices(MAX_NOTICES);
        this.#generation++;
      },
    });
  }
}
