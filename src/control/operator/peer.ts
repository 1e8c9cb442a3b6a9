import { AF, SO, SOL } from "../../sys/constants.ts";
import type { Libc } from "../../sys/libc.ts";
import type { Peer } from "../endpoints/http/connection.ts";

/** `struct sockaddr_un` (unix(7)). */
const NAME_SIZE = 110;
const PATH_AT = 2;
/** `struct ucred`: pid, uid, gid. */
const CREDENTIALS = { WORDS: 3, PID: 0, UID: 1 } as const;
/** Free descriptors in a row after which no more are open: the kernel gives the lowest free one. */
const MAX_GAP = 1024;
/** Remembered cookies; then only those of open sockets are. */
const MAX_KNOWN = 1024;

/**
 * Tells who has connected to a Unix socket (SO_PEERCRED of unix(7)). The runtime does not tell a
 * connection's descriptor: it is the one with the socket's path that was not there before. `next`
 * must be called after each accept.
 */
export class PeerFinder {
  readonly #libc: Libc;
  readonly #path: Uint8Array;
  /** Cookies of sockets, which the kernel never uses twice. Some may be behind a gap for a while. */
  #known = new Set<bigint>();
  readonly #name = new Uint8Array(NAME_SIZE);
  readonly #size = new Uint32Array(1);

  /** @param path - that the socket was bound to */
  constructor(libc: Libc, path: string) {
    this.#libc = libc;
    this.#path = new TextEncoder().encode(path);
  }

  /** Peer of the connection accepted last; null if unknown, or if it may be one of several. */
  next(): Peer | null {
    const open = new Set<bigint>();
    const peers: (Peer | null)[] = [];
    for (let fd = 0, gap = 0; gap < MAX_GAP; fd++) {
      const family = this.#readName(fd);
      gap = family === null ? gap + 1 : 0;
      if (family !== AF.UNIX || !this.#isOurs()) continue;
      const cookie = this.#cookieOf(fd);
      if (cookie === null) continue;
      open.add(cookie);
      if (!this.#known.has(cookie)) peers.push(this.#peerOf(fd));
    }
    this.#known = this.#known.size > MAX_KNOWN ? open : this.#known.union(open);
    return peers.length === 1 ? peers[0]! : null;
  }

  /** Reads the address of a socket; null if it is not one. */
  #readName(fd: number): number | null {
    const size = this.#size;
    size[0] = NAME_SIZE;
    if (this.#libc.getsockname(fd, this.#name, size) !== 0) return null;
    return this.#name[0]! | (this.#name[1]! << 8);
  }

  #isOurs(): boolean {
    const path = this.#path;
    const end = PATH_AT + path.length;
    // Of a socket without a name, only the family is written.
    return this.#size[0] === end + 1 && this.#name[end] === 0 &&
      path.every((octet, i) => this.#name[PATH_AT + i] === octet);
  }

  #cookieOf(fd: number): bigint | null {
    const value = new BigUint64Array(1);
    if (this.#option(fd, SO.ACCEPTCONN, new Uint32Array(1))?.[0] !== 0) return null;
    return this.#option(fd, SO.COOKIE, value)?.[0] ?? null;
  }

  #peerOf(fd: number): Peer | null {
    const found = this.#option(fd, SO.PEERCRED, new Uint32Array(CREDENTIALS.WORDS));
    return found && { uid: found[CREDENTIALS.UID]!, pid: found[CREDENTIALS.PID]! };
  }

  #option<T extends Uint32Array<ArrayBuffer> | BigUint64Array<ArrayBuffer>>(
    fd: number,
    option: number,
    value: T,
  ): T | null {
    this.#size[0] = value.byteLength;
    const done = this.#libc.getsockopt(fd, SOL.SOCKET, option, value, this.#size);
    return done === 0 ? value : null;
  }
}
