import { MAX_MESSAGE_SIZE } from "../../dns/constants.ts";
import { MAX_RECORDS } from "../../dns/response_scan.ts";
import { Memory } from "../../engine/memory.ts";
import { AF, EPOLL, MSG, SOCK } from "../../sys/constants.ts";
import type { Libc } from "../../sys/libc.ts";
import { markSocket } from "../../sys/mark.ts";
import { scopeIndex, SOCKADDR_SIZE, writeSockaddr } from "../../sys/sockaddr.ts";
import type { DatagramHandler, Endpoint } from "../contract.ts";
import type { Poller, PollTarget } from "./poller.ts";

/** An endpoint as system calls want it, and the free sockets that may be used for it. */
interface Prepared {
  readonly domain: number;
  readonly name: Uint8Array<ArrayBuffer>;
  readonly nameLength: number;
  readonly source: Uint8Array<ArrayBuffer> | null;
  readonly sourceLength: number;
  readonly pool: Socket[];
}

/** Datagrams read from one socket before others get their turn. */
const READS = 4;
/** And from one that nobody waits on: what is left would come to its next query. */
const LATE_READS = 64;

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
  /** Weak, because lists of upstreams change. */
  readonly #prepared = new WeakMap<Endpoint, Prepared>();
  readonly #pools = new Map<string, Socket[]>();
  readonly #sockets: Socket[] = [];
  /** Given back since the poller last waited, and before that. */
  #released: Socket[] = [];
  #resting: Socket[] = [];
  readonly #unspec = new Uint8Array(16);
  readonly buffer = new Memory(MAX_MESSAGE_SIZE + 1 + 2 * MAX_RECORDS);
  /** Datagrams that came when nobody waited on their socket any more. */
  late = 0;

  /**
   * @param limit - sockets that may be open at a time
   * @param mark - SO_MARK of what they send; 0 for none
   */
  constructor(libc: Libc, poller: Poller, limit: number, mark = 0) {
    this.#libc = libc;
    this.#poller = poller;
    this.#limit = limit;
    this.#mark = mark;
  }

  /** Takes a socket with a fresh port, connected; its number, or -1. */
  open(endpoint: Endpoint, handler: DatagramHandler): number {
    const prepared = this.#prepared.get(endpoint) ?? this.#prepare(endpoint);
    const socket = prepared.pool.pop() ?? this.#create(prepared);
    if (socket === null) return -1;
    if (this.#libc.connect(socket.fd, prepared.name, prepared.nameLength) < 0) {
      prepared.pool.push(socket);
      return -1;
    }
    socket.handler = handler;
    return socket.index;
  }

  /** Sends one datagram. */
  send(index: number, memory: Memory, offset: number, length: number): boolean {
    const bytes = offset === 0 ? memory.bytes : memory.bytes.subarray(offset);
    return this.#libc.send(
      this.#sockets[index]!.fd,
      bytes,
      length,
      MSG.DONTWAIT | MSG.NOSIGNAL,
    ) === length;
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
  settle(): void {
    const rested = this.#resting;
    if (rested.length === 0 && this.#released.length === 0) return;
    for (let socket = rested.pop(); socket !== undefined; socket = rested.pop()) {
      socket.pool.push(socket);
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
    for (const { fd } of this.#sockets) {
      this.#poller.remove(fd);
      this.#libc.close(fd);
    }
  }

  #create(prepared: Prepared): Socket | null {
    const index = this.#place();
    if (index < 0) return null;
    const fd = this.#libc.socket(
      prepared.domain,
      SOCK.DGRAM | SOCK.NONBLOCK | SOCK.CLOEXEC,
      0,
    );
    if (fd < 0) return null;
    // An unmarked query would come back to where it was sent from.
    const marked = this.#mark === 0 || markSocket(this.#libc, fd, this.#mark);
    if (
      !marked || (prepared.source !== null &&
        this.#libc.bind(fd, prepared.source, prepared.sourceLength) < 0)
    ) {
      this.#libc.close(fd);
      return null;
    }
    const socket = new Socket(this, fd, index, prepared.pool);
    this.#sockets[index] = socket;
    this.#poller.add(fd, EPOLL.IN, socket);
    return socket;
  }

  /** Number for a new socket; at the limit that of a free one of another kind, which is closed. */
  #place(): number {
    if (this.#sockets.length < this.#limit) return this.#sockets.length;
    for (const pool of this.#pools.values()) {
      const other = pool.pop();
      if (other === undefined) continue;
      this.#poller.remove(other.fd);
      this.#libc.close(other.fd);
      return other.index;
    }
    return -1;
  }

  #prepare(endpoint: Endpoint): Prepared {
    const name = new Uint8Array(SOCKADDR_SIZE);
    endpoint.address.scope = scopeIndex(this.#libc, endpoint.scope);
    const nameLength = writeSockaddr(endpoint.address, name);
    let source: Uint8Array<ArrayBuffer> | null = null;
    let sourceLength = 0;
    if (endpoint.source !== null) {
      source = new Uint8Array(SOCKADDR_SIZE);
      sourceLength = writeSockaddr(endpoint.source, source);
    }
    const key = `${endpoint.address.family} ${endpoint.source?.hostname() ?? ""}`;
    const pool = this.#pools.get(key) ?? [];
    this.#pools.set(key, pool);
    const domain = endpoint.address.family === 4 ? AF.INET : AF.INET6;
    const prepared = { domain, name, nameLength, source, sourceLength, pool };
    this.#prepared.set(endpoint, prepared);
    return prepared;
  }
}

/** One socket of the pool. */
class Socket implements PollTarget {
  readonly fd: number;
  readonly index: number;
  readonly pool: Socket[];
  handler: DatagramHandler | null = null;
  readonly #owner: UpstreamSockets;

  constructor(owner: UpstreamSockets, fd: number, index: number, pool: Socket[]) {
    this.#owner = owner;
    this.fd = fd;
    this.index = index;
    this.pool = pool;
  }

  ready(events: number): void {
    this.#owner.read(this, events);
  }
}
