import { IndexTable } from "../../base/index_table.ts";
import { MAX_MESSAGE_SIZE } from "../../dns/constants.ts";
import { MAX_RECORDS } from "../../dns/response_scan.ts";
import { type DatagramHandler, type Endpoint, NO_SOCKET } from "../../engine/io.ts";
import { Memory } from "../../engine/memory.ts";
import { EPOLL, ERRNO, MSG, SOCK } from "../../sys/constants.ts";
import { lastErrno, type Libc } from "../../sys/libc.ts";
import { markSocket } from "../../sys/socket_options.ts";
import { openSocket, sockaddrOf, writeSockaddr } from "../../sys/sockaddr.ts";
import type { Poller, PollTarget } from "./poller.ts";
import { Scopes } from "./scopes.ts";

interface Prepared {
  readonly peer: Uint8Array<ArrayBuffer>;
  /** Generation of `Scopes`. */
  generation: number;
  readonly source: Uint8Array<ArrayBuffer> | null;
  readonly pool: Pool;
}

/** Last used on top. */
interface Pool {
  readonly sockets: Socket[];
  /** Free since the last trim. */
  least: number;
  before: number;
  unused: number;
}

/** Before other events. */
const READS = 4;
/** Leftovers would reach the next query. */
const LATE_READS = 64;
const TRIM_MS = 1000;
/** For some thousand misses a second. */
const KEPT = 64;
/** Until an unused pool is emptied. */
const UNUSED_TRIMS = 60;
/** Takes a fraction of a millisecond. */
const TRIMMED = 64;
const UNREACHABLE = -1;
/** Descriptors, memory or ports (of `connect`, of `bind`). */
const SHORTAGES: readonly number[] = [
  ...[ERRNO.NFILE, ERRNO.MFILE, ERRNO.NOBUFS, ERRNO.NOMEM],
  ...[ERRNO.AGAIN, ERRNO.ADDRINUSE],
];

/**
 * Each UDP socket is connected for one query from a random port; `connect` to AF_UNSPEC releases
 * it, four times cheaper than a new one. For one round the poller then reads late datagrams and
 * ICMP errors.
 */
export class UpstreamSockets {
  readonly buffer = new Memory(MAX_MESSAGE_SIZE + 1 + 2 * MAX_RECORDS);
  /** Received after release. */
  late = 0;
  /** For lack of kernel buffers. */
  lost = 0;
  readonly #libc: Libc;
  readonly #poller: Poller;
  readonly #limit: number;
  readonly #mark: number;
  readonly #scopes: Scopes;
  readonly #prepared = new WeakMap<Endpoint, Prepared>();
  readonly #pools = new Map<string, Pool>();
  readonly #sockets = new IndexTable<Socket>();
  #nextTrimMs = 0;
  /** This round and before. */
  #released: Socket[] = [];
  #resting: Socket[] = [];
  readonly #unspec = new Uint8Array(16);

  constructor(libc: Libc, poller: Poller, limit: number, mark = 0) {
    this.#libc = libc;
    this.#poller = poller;
    this.#limit = limit;
    this.#mark = mark;
    this.#scopes = new Scopes(libc, poller);
  }

  get size(): number {
    return this.#sockets.size;
  }

  open(endpoint: Endpoint, handler: DatagramHandler): number {
    const prepared = this.#prepared.get(endpoint) ?? this.#prepare(endpoint);
    const { pool } = prepared;
    const socket = pool.sockets.pop() ?? this.#create(endpoint, prepared);
    if (typeof socket === "number") return socket;
    if (pool.sockets.length < pool.least) pool.least = pool.sockets.length;
    if (prepared.generation !== this.#scopes.generation) this.#resolveScope(endpoint, prepared);
    if (this.#libc.connect(socket.fd, prepared.peer, prepared.peer.length) < 0) {
      const fault = lastFault();
      if (!this.#reconnect(socket.fd, endpoint, prepared)) {
        pool.sockets.push(socket);
        // May still have a port.
        this.#libc.connect(socket.fd, this.#unspec, 16);
        return fault;
      }
    }
    socket.handler = handler;
    return socket.index;
  }

  /** Without kernel buffers datagrams are lost. */
  send(index: number, memory: Memory, offset: number, length: number): boolean {
    const bytes = offset === 0 ? memory.bytes : memory.bytes.subarray(offset);
    const flags = MSG.DONTWAIT | MSG.NOSIGNAL;
    if (this.#libc.send(this.#sockets.get(index)!.fd, bytes, length, flags) === length) return true;
    if (lastFault() !== NO_SOCKET) return false;
    this.lost++;
    return true;
  }

  release(index: number): void {
    const socket = this.#sockets.get(index)!;
    if (socket.handler === null) return;
    socket.handler = null;
    this.#libc.connect(socket.fd, this.#unspec, 16);
    this.#released.push(socket);
  }

  /** Frees earlier released sockets. */
  endRound(nowMs: number): void {
    if (nowMs >= this.#nextTrimMs) this.#trim(nowMs);
    const rested = this.#resting;
    if (rested.length === 0 && this.#released.length === 0) return;
    for (let socket = rested.pop(); socket !== undefined; socket = rested.pop()) {
      socket.pool.sockets.push(socket);
    }
    this.#resting = this.#released;
    this.#released = rested;
  }

  read(socket: Socket, events: number): void {
    const { bytes } = this.buffer;
    const reads = socket.handler === null ? LATE_READS : READS;
    for (let i = 0; i < reads; i++) {
      const length = this.#libc.recv(socket.fd, bytes, MAX_MESSAGE_SIZE, MSG.DONTWAIT);
      if (length < 0) {
        // A pending ICMP error: the upstream refused.
        if (i === 0 && (events & EPOLL.ERR) !== 0) socket.handler?.failed();
        return;
      }
      const { handler } = socket;
      if (handler === null) {
        this.late++;
        continue;
      }
      handler.reply(this.buffer, length);
      // Would usually find nothing.
      if (socket.handler === null) return;
    }
  }

  close(): void {
    for (const socket of this.#sockets) this.#close(socket);
    this.#scopes.close();
  }

  #reconnect(fd: number, endpoint: Endpoint, prepared: Prepared): boolean {
    if (endpoint.scope === "" || !this.#resolveScope(endpoint, prepared)) return false;
    // Still bound to the old interface.
    this.#libc.connect(fd, this.#unspec, 16);
    return this.#libc.connect(fd, prepared.peer, prepared.peer.length) === 0;
  }

  #resolveScope({ address, scope }: Endpoint, prepared: Prepared): boolean {
    const before = address.scope;
    address.scope = this.#scopes.index(scope);
    prepared.generation = this.#scopes.generation;
    writeSockaddr(address, prepared.peer);
    return address.scope !== before;
  }

  #trim(nowMs: number): void {
    this.#nextTrimMs = nowMs + TRIM_MS;
    for (const pool of this.#pools.values()) {
      pool.unused = pool.least < pool.before ? 0 : pool.unused + 1;
      const kept = pool.unused >= UNUSED_TRIMS ? 0 : KEPT;
      const spare = Math.max(0, Math.min(TRIMMED, pool.least - kept));
      for (const socket of pool.sockets.splice(0, spare)) this.#close(socket);
      pool.least = pool.before = pool.sockets.length;
    }
  }

  #close({ fd, index }: Socket): void {
    this.#sockets.remove(index);
    this.#poller.remove(fd);
    this.#libc.close(fd);
  }

  /** At the limit, closes another pool's socket. */
  #create({ address }: Endpoint, { source, pool }: Prepared): Socket | number {
    if (this.size >= this.#limit) {
      const other = this.#pools.values().find(({ sockets }) => sockets.length > 0);
      if (other === undefined) return NO_SOCKET;
      this.#close(other.sockets.shift()!);
      other.least = Math.min(other.least, other.sockets.length);
    }
    const fd = openSocket(this.#libc, address, SOCK.DGRAM);
    if (fd < 0) return lastFault();
    let fault = 0;
    // Rules would redirect it to nodens.
    if (this.#mark !== 0 && !markSocket(this.#libc, fd, this.#mark)) fault = UNREACHABLE;
    else if (source !== null && this.#libc.bind(fd, source, source.length) < 0) {
      fault = lastFault();
    }
    if (fault !== 0) {
      this.#libc.close(fd);
      return fault;
    }
    const socket = new Socket(this, fd, pool);
    socket.index = this.#sockets.add(socket);
    this.#poller.add(fd, EPOLL.IN, socket);
    return socket;
  }

  #prepare(endpoint: Endpoint): Prepared {
    const { address, scope, source } = endpoint;
    address.scope = this.#scopes.index(scope);
    const key = `${address.family} ${source?.hostname() ?? ""}`;
    const pool = this.#pools.get(key) ?? { sockets: [], least: 0, before: 0, unused: 0 };
    this.#pools.set(key, pool);
    const prepared = {
      peer: sockaddrOf(address),
      generation: this.#scopes.generation,
      source: source === null ? null : sockaddrOf(source),
      pool,
    };
    this.#prepared.set(endpoint, prepared);
    return prepared;
  }
}

class Socket implements PollTarget {
  readonly fd: number;
  index = -1;
  readonly pool: Pool;
  handler: DatagramHandler | null = null;
  readonly #owner: UpstreamSockets;

  constructor(owner: UpstreamSockets, fd: number, pool: Pool) {
    this.#owner = owner;
    this.fd = fd;
    this.pool = pool;
  }

  ready(events: number): void {
    this.#owner.read(this, events);
  }
}

function lastFault(): number {
  return SHORTAGES.includes(lastErrno()) ? NO_SOCKET : UNREACHABLE;
}
