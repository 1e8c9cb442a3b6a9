import { MAX_MESSAGE_SIZE } from "../../dns/constants.ts";
import { MAX_RECORDS } from "../../dns/response_scan.ts";
import { Memory } from "../../engine/memory.ts";
import { AF, EPOLL, ERRNO, MSG, SOCK } from "../../sys/constants.ts";
import { lastErrno, type Libc } from "../../sys/libc.ts";
import { markSocket } from "../../sys/mark.ts";
import { SOCKADDR_SIZE, writeSockaddr } from "../../sys/sockaddr.ts";
import { type DatagramHandler, type Endpoint, NO_SOCKET } from "../../engine/io.ts";
import type { Poller, PollTarget } from "./poller.ts";
import { Scopes } from "./scopes.ts";

/** An endpoint as system calls want it, and the free sockets that may be used for it. */
interface Prepared {
  readonly domain: number;
  readonly name: Uint8Array<ArrayBuffer>;
  readonly nameLength: number;
  /** Generation of `Scopes` that the name is of. */
  generation: number;
  readonly source: Uint8Array<ArrayBuffer> | null;
  readonly sourceLength: number;
  readonly pool: Pool;
}

/** Free sockets of one kind; the one used last is on top. */
interface Pool {
  readonly sockets: Socket[];
  /** Fewest that lay here since the last look: so many were not needed. */
  least: number;
  /** How many lay here then. */
  before: number;
  /** Looks in a row between which none was needed. */
  unused: number;
}

/** Datagrams read from one socket before others get their turn. */
const READS = 4;
/** And from one that nobody waits on: what is left would come to its next query. */
const LATE_READS = 64;
/** How often free sockets are looked through; a burst's are gone after a minute. */
const TRIM_MS = 1000;
/** Free sockets of a kind that stay: enough for some thousand misses a second. */
const KEPT = 64;
/**
 * Looks after which a kind that was not needed keeps none: its `source_address` may have gone with a
 * reload, and a minute without a single miss needs no speed.
 */
const UNUSED_LOOKS = 60;
/** Sockets closed at a time, which takes a fraction of a millisecond. */
const TRIMMED = 64;
/** The upstream cannot be reached. */
const UNREACHABLE = -1;
/** What calls say where descriptors or memory have run out, or ports: at `connect`, at `bind`. */
const SHORTAGES: readonly number[] = [
  ...[ERRNO.NFILE, ERRNO.MFILE, ERRNO.NOBUFS, ERRNO.NOMEM],
  ...[ERRNO.AGAIN, ERRNO.ADDRINUSE],
];

/**
 * UDP sockets towards upstreams, each connected and on a random port of the kernel's choice for one
 * query at a time.
 *
 * A socket is not closed between queries: `connect` to AF_UNSPEC takes its port away, and the next
 * `connect` draws another one. That leaves out creating, watching and closing a descriptor, which is
 * three quarters of the cost of a fresh port. What may still lie in a socket (datagrams, an ICMP
 * error) is of the query before, so a socket rests for a whole round of the poller, which reads it,
 * before it is used again.
 */
export class UpstreamSockets {
  readonly #libc: Libc;
  readonly #poller: Poller;
  readonly #limit: number;
  readonly #mark: number;
  readonly #scopes: Scopes;
  /** Weak, because lists of upstreams change. */
  readonly #prepared = new WeakMap<Endpoint, Prepared>();
  readonly #pools = new Map<string, Pool>();
  readonly #sockets: (Socket | null)[] = [];
  /** Numbers of sockets that were closed. */
  readonly #freeIndexes: number[] = [];
  #nextTrimMs = 0;
  /** Given back since the poller last waited, and before that. */
  #released: Socket[] = [];
  #resting: Socket[] = [];
  readonly #unspec = new Uint8Array(16);
  readonly buffer = new Memory(MAX_MESSAGE_SIZE + 1 + 2 * MAX_RECORDS);
  /** Datagrams that came when nobody waited on their socket any more. */
  late = 0;
  /** Datagrams that the kernel had no room for. */
  lost = 0;

  /**
   * @param limit - sockets that may be open at a time
   * @param mark - SO_MARK of what they send; 0 for none
   */
  constructor(libc: Libc, poller: Poller, limit: number, mark = 0) {
    this.#libc = libc;
    this.#poller = poller;
    this.#limit = limit;
    this.#mark = mark;
    this.#scopes = new Scopes(libc, poller);
  }

  /** Open sockets, free ones included. */
  get size(): number {
    return this.#sockets.length - this.#freeIndexes.length;
  }

  /** Takes a socket with a fresh port, connected; its number, or what `Io.open` says. */
  open(endpoint: Endpoint, handler: DatagramHandler): number {
    const prepared = this.#prepared.get(endpoint) ?? this.#prepare(endpoint);
    const { pool } = prepared;
    const socket = pool.sockets.pop() ?? this.#create(prepared);
    if (typeof socket === "number") return socket;
    if (pool.sockets.length < pool.least) pool.least = pool.sockets.length;
    if (prepared.generation !== this.#scopes.generation) this.#resolveScope(endpoint, prepared);
    if (this.#libc.connect(socket.fd, prepared.name, prepared.nameLength) < 0) {
      const fault = lastFault();
      if (!this.#connectAnew(socket.fd, endpoint, prepared)) {
        pool.sockets.push(socket);
        // It may have a port: the kernel chooses that first, and looks for a route then.
        this.#libc.connect(socket.fd, this.#unspec, 16);
        return fault;
      }
    }
    socket.handler = handler;
    return socket.index;
  }

  /**
   * Sends one datagram. Where the kernel has no room for it, nobody is to blame and it will be sent
   * again as if it had been lost on the way.
   */
  send(index: number, memory: Memory, offset: number, length: number): boolean {
    const bytes = offset === 0 ? memory.bytes : memory.bytes.subarray(offset);
    const flags = MSG.DONTWAIT | MSG.NOSIGNAL;
    if (this.#libc.send(this.#sockets[index]!.fd, bytes, length, flags) === length) return true;
    if (lastFault() !== NO_SOCKET) return false;
    this.lost++;
    return true;
  }

  /** Gives a socket back, and its port up. */
  release(index: number): void {
    const socket = this.#sockets[index]!;
    if (socket.handler === null) return;
    socket.handler = null;
    this.#libc.connect(socket.fd, this.#unspec, 16);
    this.#released.push(socket);
  }

  /** Ends a round of the poller: what has rested for one may be used again. */
  settle(nowMs: number): void {
    if (nowMs >= this.#nextTrimMs) this.#trim(nowMs);
    const rested = this.#resting;
    if (rested.length === 0 && this.#released.length === 0) return;
    for (let socket = rested.pop(); socket !== undefined; socket = rested.pop()) {
      socket.pool.sockets.push(socket);
    }
    this.#resting = this.#released;
    this.#released = rested;
  }

  /** Reads what came to a socket. */
  read(socket: Socket, events: number): void {
    const { bytes } = this.buffer;
    const reads = socket.handler === null ? LATE_READS : READS;
    for (let i = 0; i < reads; i++) {
      const length = this.#libc.recv(socket.fd, bytes, MAX_MESSAGE_SIZE, MSG.DONTWAIT);
      if (length < 0) {
        // A pending ICMP error makes one receive fail; the upstream's host refused.
        if (i === 0 && (events & EPOLL.ERR) !== 0) socket.handler?.failed();
        return;
      }
      const { handler } = socket;
      if (handler === null) {
        this.late++;
        continue;
      }
      handler.reply(this.buffer, length);
      // Usually the query is done; one more system call would find nothing.
      if (socket.handler === null) return;
    }
  }

  /** Closes all sockets. */
  close(): void {
    for (const socket of this.#sockets) if (socket !== null) this.#close(socket);
    this.#scopes.close();
  }

  /** Connects to an address whose interface has been made anew, which has another index. */
  #connectAnew(fd: number, endpoint: Endpoint, prepared: Prepared): boolean {
    if (endpoint.scope === "" || !this.#resolveScope(endpoint, prepared)) return false;
    // The failed attempt has left the socket bound to the old one.
    this.#libc.connect(fd, this.#unspec, 16);
    return this.#libc.connect(fd, prepared.name, prepared.nameLength) === 0;
  }

  /** Looks the interface of a scope up again; whether it is another one. */
  #resolveScope(endpoint: Endpoint, prepared: Prepared): boolean {
    const { address, scope } = endpoint;
    const before = address.scope;
    address.scope = this.#scopes.index(scope);
    prepared.generation = this.#scopes.generation;
    writeSockaddr(address, prepared.name);
    return address.scope !== before;
  }

  /** Closes some of the sockets that were not needed since the last time. */
  #trim(nowMs: number): void {
    this.#nextTrimMs = nowMs + TRIM_MS;
    for (const pool of this.#pools.values()) {
      pool.unused = pool.least < pool.before ? 0 : pool.unused + 1;
      const kept = pool.unused >= UNUSED_LOOKS ? 0 : KEPT;
      const spare = Math.min(TRIMMED, pool.least - kept);
      if (spare > 0) {
        for (const socket of pool.sockets.splice(0, spare)) {
          this.#close(socket);
          this.#freeIndexes.push(socket.index);
        }
      }
      pool.least = pool.before = pool.sockets.length;
    }
  }

  #close({ fd, index }: Socket): void {
    this.#sockets[index] = null;
    this.#poller.remove(fd);
    this.#libc.close(fd);
  }

  #create(prepared: Prepared): Socket | number {
    const { domain, source, sourceLength, pool } = prepared;
    const index = this.#place();
    if (index < 0) return NO_SOCKET;
    const fd = this.#libc.socket(domain, SOCK.DGRAM | SOCK.NONBLOCK | SOCK.CLOEXEC, 0);
    const fault = fd < 0 ? lastFault() : this.#setUp(fd, source, sourceLength);
    if (fault !== 0) {
      this.#freeIndexes.push(index);
      if (fd >= 0) this.#libc.close(fd);
      return fault;
    }
    const socket = new Socket(this, fd, index, pool);
    this.#sockets[index] = socket;
    this.#poller.add(fd, EPOLL.IN, socket);
    return socket;
  }

  /** Marks and binds a new socket; 0, or what `open` is to return. */
  #setUp(fd: number, source: Uint8Array<ArrayBuffer> | null, sourceLength: number): number {
    // An unmarked query would come back to where it was sent from.
    if (this.#mark !== 0 && !markSocket(this.#libc, fd, this.#mark)) return UNREACHABLE;
    if (source === null || this.#libc.bind(fd, source, sourceLength) === 0) return 0;
    return lastFault();
  }

  /** Number for a new socket, at the limit in the place of a free one of another kind; or -1. */
  #place(): number {
    if (this.size >= this.#limit) {
      const other = [...this.#pools.values()].find(({ sockets }) => sockets.length > 0);
      if (other === undefined) return -1;
      const socket = other.sockets.shift()!;
      other.least = Math.min(other.least, other.sockets.length);
      this.#close(socket);
      return socket.index;
    }
    return this.#freeIndexes.pop() ?? this.#sockets.push(null) - 1;
  }

  #prepare(endpoint: Endpoint): Prepared {
    const name = new Uint8Array(SOCKADDR_SIZE);
    endpoint.address.scope = this.#scopes.index(endpoint.scope);
    const { generation } = this.#scopes;
    const nameLength = writeSockaddr(endpoint.address, name);
    let source: Uint8Array<ArrayBuffer> | null = null;
    let sourceLength = 0;
    if (endpoint.source !== null) {
      source = new Uint8Array(SOCKADDR_SIZE);
      sourceLength = writeSockaddr(endpoint.source, source);
    }
    const key = `${endpoint.address.family} ${endpoint.source?.hostname() ?? ""}`;
    const pool = this.#pools.get(key) ?? { sockets: [], least: 0, before: 0, unused: 0 };
    this.#pools.set(key, pool);
    const domain = endpoint.address.family === 4 ? AF.INET : AF.INET6;
    const prepared = { domain, name, nameLength, generation, source, sourceLength, pool };
    this.#prepared.set(endpoint, prepared);
    return prepared;
  }
}

/** One socket of the pool. */
class Socket implements PollTarget {
  readonly fd: number;
  readonly index: number;
  readonly pool: Pool;
  handler: DatagramHandler | null = null;
  readonly #owner: UpstreamSockets;

  constructor(owner: UpstreamSockets, fd: number, index: number, pool: Pool) {
    this.#owner = owner;
    this.fd = fd;
    this.index = index;
    this.pool = pool;
  }

  ready(events: number): void {
    this.#owner.read(this, events);
  }
}

/** What `open` returns for the call that has just failed. */
function lastFault(): number {
  return SHORTAGES.includes(lastErrno()) ? NO_SOCKET : UNREACHABLE;
}
