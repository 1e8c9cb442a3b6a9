import { IndexTable } from "../../base/index_table.ts";
import { Address } from "../../dns/address.ts";
import { COUNTER } from "../../engine/counters.ts";
import type { Traffic } from "../../engine/engine.ts";
import { copyWords, Memory } from "../../engine/memory.ts";
import { EPOLL, MMSGHDR, MSG } from "../../sys/constants.ts";
import type { Libc } from "../../sys/libc.ts";
import { readLocalAddress, readSockaddr, SOCKADDR_SIZE } from "../../sys/sockaddr.ts";
import type { BoundSocket } from "../sockets.ts";
import { CONTROL_SIZE, MessageBatch } from "./message_batch.ts";
import type { PollTarget } from "./poller.ts";

/** Thirty amortize a system call. */
const BATCH = 64;
/** Longer queries get FORMERR. */
const QUERY_SIZE = 2048;
/** With slack for word copies. */
const RESPONSE_SIZE = 4096 + 16;
/** Full batches, before other sockets. */
const ROUNDS = 8;
/** Above a socket's buffer. */
const DRAIN_ROUNDS = 64;
/** `struct sockaddr_in` and `sockaddr_in6`. */
const NAME_LENGTH = { 4: 16, 6: 28 } as const;
/** `struct cmsghdr`, before the addresses. */
const PKTINFO = 16;

/** Clients' datagrams, in batches. */
export class ClientDatagrams {
  readonly #libc: Libc;
  readonly #engine: () => Traffic;
  readonly #in = new MessageBatch(BATCH, QUERY_SIZE);
  readonly #out = new MessageBatch(BATCH, RESPONSE_SIZE);
  #outCount = 0;
  #outFd = -1;
  #socket: BoundSocket | null = null;
  /** Waiting queries'. */
  readonly #kept = {
    names: new Memory(64 * SOCKADDR_SIZE),
    controls: new Memory(64 * CONTROL_SIZE),
  };
  readonly #keptSockets = new IndexTable<BoundSocket>();
  readonly #keptControlLengths: number[] = [];
  readonly #client = new Address();

  constructor(libc: Libc, engine: () => Traffic) {
    this.#libc = libc;
    this.#engine = engine;
  }

  target(socket: BoundSocket): PollTarget {
    return { ready: (events) => void this.receive(socket, events) };
  }

  drain(socket: BoundSocket): void {
    for (let round = 0; round < DRAIN_ROUNDS; round++) {
      if (this.receive(socket, EPOLL.IN) === 0) return;
    }
  }

  keep(slot: number): number {
    const kept = this.#kept;
    const index = this.#keptSockets.add(this.#socket!);
    if ((index + 1) * SOCKADDR_SIZE > kept.names.bytes.length) {
      kept.names = doubled(kept.names);
      kept.controls = doubled(kept.controls);
    }
    const { names, controls } = this.#in;
    copyWords(names, slot * SOCKADDR_SIZE, kept.names, index * SOCKADDR_SIZE, SOCKADDR_SIZE);
    copyWords(controls, slot * CONTROL_SIZE, kept.controls, index * CONTROL_SIZE, CONTROL_SIZE);
    this.#keptControlLengths[index] = this.#in.controlLength(slot);
    return index;
  }

  reply(index: number, memory: Memory, offset: number, length: number): void {
    const socket = this.#keptSockets.remove(index)!;
    if (this.#outCount === BATCH || this.#outFd !== socket.fd) this.flush();
    this.#outFd = socket.fd;
    copyWords(memory, offset, this.#out.data, this.#outCount * RESPONSE_SIZE, length);
    this.#queue(socket, length, this.#kept, index, this.#keptControlLengths[index]!);
  }

  forget(index: number): void {
    this.#keptSockets.remove(index);
  }

  flush(): void {
    const count = this.#outCount;
    if (count === 0) return;
    this.#outCount = 0;
    const { bytes } = this.#out.headers;
    const flags = MSG.DONTWAIT | MSG.NOSIGNAL;
    let sent = Math.max(0, this.#libc.sendmmsg(this.#outFd, bytes, count, flags));
    // A bad destination stops a batch: skip it.
    while (sent < count) {
      const rest = bytes.subarray(sent * MMSGHDR.size);
      const more = this.#libc.sendmmsg(this.#outFd, rest, count - sent, flags);
      if (more <= 0) this.#engine().values[COUNTER.SENDS_LOST]!++;
      sent += Math.max(1, more);
    }
  }

  /** Differs from the socket's on a dual socket. */
  family(of: "slot" | "kept", reference: number): 4 | 6 {
    const socket = this.#socketOf(of, reference);
    if (socket.inherited?.dual !== true) return socket.family;
    this.address(of, reference, "client", this.#client);
    this.#client.unmap();
    return this.#client.family;
  }

  address(of: "slot" | "kept", reference: number, side: "client" | "local", target: Address): void {
    const { names, controls } = of === "slot" ? this.#in : this.#kept;
    if (side === "client") {
      readSockaddr(names.view, reference * SOCKADDR_SIZE, target);
      return;
    }
    const socket = this.#socketOf(of, reference);
    readLocalAddress(this.#libc, socket.fd, target);
    if (!socket.wildcard) return;
    // `in_pktinfo` begins with the interface.
    const isIPv4 = socket.family === 4;
    const from = reference * CONTROL_SIZE + PKTINFO + (isIPv4 ? 4 : 0);
    target.bytes.set(controls.bytes.subarray(from, from + (isIPv4 ? 4 : 16)));
  }

  receive(socket: BoundSocket, events: number): number {
    if ((events & (EPOLL.IN | EPOLL.ERR)) === 0) return 0;
    const engine = this.#engine();
    const incoming = this.#in;
    const { bytes, view } = incoming.headers;
    for (let round = 0; round < ROUNDS; round++) {
      const count = this.#libc.recvmmsg(socket.fd, bytes, BATCH, MSG.DONTWAIT, null);
      if (count <= 0) return 0;
      if (this.#outFd !== socket.fd) {
        this.flush();
        this.#outFd = socket.fd;
      }
      this.#socket = socket;
      let slot = 0;
      try {
        for (; slot < count; slot++) {
          if (this.#outCount === BATCH) this.flush();
          const length = engine.datagram(
            socket.listener,
            slot,
            incoming.data,
            slot * QUERY_SIZE,
            view.getUint32(slot * MMSGHDR.size + MMSGHDR.length, true),
            this.#out.data,
            this.#outCount * RESPONSE_SIZE,
          );
          if (length > 0) this.#queue(socket, length, incoming, slot, incoming.controlLength(slot));
          incoming.reset(slot);
        }
      } finally {
        // A shorter name would be read as a whole one.
        for (; slot < count; slot++) incoming.reset(slot);
      }
      this.flush();
      if (count < BATCH) return count;
    }
    return BATCH;
  }

  #queue(
    socket: BoundSocket,
    length: number,
    from: Pick<MessageBatch, "names" | "controls">,
    index: number,
    controlLength: number,
  ): void {
    const out = this.#out;
    const row = this.#outCount++;
    const isIPv4 = socket.family === 4;
    out.setLength(row, length);
    copyWords(from.names, index * SOCKADDR_SIZE, out.names, row * SOCKADDR_SIZE, SOCKADDR_SIZE);
    out.setHeader(row, NAME_LENGTH[socket.family], socket.wildcard ? controlLength : 0);
    if (!socket.wildcard) return;
    const at = row * CONTROL_SIZE;
    copyWords(from.controls, index * CONTROL_SIZE, out.controls, at, controlLength);
    // Without it the reply follows the route.
    out.controls.view.setUint32(at + PKTINFO + (isIPv4 ? 0 : 16), 0, true);
  }

  #socketOf(of: "slot" | "kept", reference: number): BoundSocket {
    return of === "slot" ? this.#socket! : this.#keptSockets.get(reference)!;
  }
}

function doubled(memory: Memory): Memory {
  const larger = new Memory(2 * memory.bytes.length);
  larger.bytes.set(memory.bytes);
  return larger;
}
