import { AF, SO, SOL } from "../../sys/constants.ts";
import type { Libc } from "../../sys/libc.ts";
import type { Peer } from "../endpoints/http/connection.ts";

/** `struct sockaddr_un` (unix(7)). */
const NAME_SIZE = 110;
const PATH_AT = 2;
/** `struct ucred`: pid, uid, gid. */
const CREDENTIALS = { WORDS: 3, PID: 0, UID: 1 } as const;
/** Free descriptors in a row that mean no more are open: the kernel gives the lowest. */
const MAX_GAP = 1024;
/** Above it, only cookies of open sockets are kept. */
const MAX_KNOWN = 1024;

/**
 * Identifies Unix socket clients (SO_PEERCRED of unix(7)). The runtime hides descriptors: the
 * connection's is new, with the socket's path. Call `next` after each accept.
 */
export class PeerFinder {
  readonly #libc: Libc;
  readonly #path: Uint8Array;
  /** Socket cookies, never reused. */
  #known = new Set<bigint>();
  readonly #name = new Uint8Array(NAME_SIZE);
  readonly #size = new Uint32Array(1);

  constructor(libc: Libc, path: string) {
    this.#libc = libc;
    this.#path = new TextEncoder().encode(path);
  }

  /** Peer of the last connection; null if unknown or ambiguous. */
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

  /** Null for other descriptors. */
  #readName(fd: number): number | null {
    const size = this.#size;
    size[0] = NAME_SIZE;
    if (this.#libc.getsockname(fd, this.#name, size) !== 0) return null;
    return this.#name[0]! | (this.#name[1]! << 8);
  }

  #isOurs(): boolean {
    const path = this.#path;
    const end = PATH_AT + path.length;
    // Unnamed: only the family is written.
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
