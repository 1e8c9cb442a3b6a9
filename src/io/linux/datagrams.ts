import { Address } from "../../dns/address.ts";
import { COUNTER } from "../../engine/counters.ts";
import type { Traffic } from "../../engine/traffic.ts";
import { copyWords, Memory } from "../../engine/memory.ts";
import { EPOLL, MMSGHDR, MSG } from "../../sys/constants.ts";
import type { Libc } from "../../sys/libc.ts";
import { readSockaddr, SOCKADDR_SIZE } from "../../sys/sockaddr.ts";
import type { BoundSocket } from "../sockets.ts";
import { CONTROL_SIZE, MessageBatch } from "./message_batch.ts";
import type { PollTarget } from "./poller.ts";

/** Datagrams a system call; more bring nothing once the call's own cost is shared by thirty. */
const BATCH = 64;
/** Largest query taken in; a longer one is cut, and answered FORMERR. */
const QUERY_SIZE = 2048;
/** Largest response with the slack that word copies need. */
const RESPONSE_SIZE = 4096 + 16;
/** Rounds of a full batch that one socket may take before others get their turn. */
const ROUNDS = 8;
/** Looks at a socket that is to be closed: more than its buffer can hold. */
const DRAIN_ROUNDS = 64;

/** One kept return address: sockaddr, control message, and what belongs to them. */
const KEPT_SIZE = SOCKADDR_SIZE + CONTROL_SIZE;

/** Client datagrams: received and answered in batches, with the return addresses of those that wait. */
export class ClientDatagrams {
  readonly #libc: Libc;
  readonly #engine: () => Traffic;
  readonly #in = new MessageBatch(BATCH, QUERY_SIZE);
  readonly #out = new MessageBatch(BATCH, RESPONSE_SIZE);
  #outCount = 0;
  #outFd = -1;
  /** The socket whose batch is being answered; receive slots belong to it. */
  #socket: BoundSocket | null = null;

  #kept = new Memory(64 * KEPT_SIZE);
  #keptSockets: (BoundSocket | null)[] = [];
  #keptControl: number[] = [];
  readonly #free: number[] = [];

  constructor(libc: Libc, engine: () => Traffic) {
    this.#libc = libc;
    this.#engine = engine;
  }

  /** What epoll calls when the socket has queries. */
  target(socket: BoundSocket): PollTarget {
    return { ready: (events) => void this.receive(socket, events) };
  }

  /** Answers all that has come to the socket, of which no more than its buffer holds comes still. */
  drain(socket: BoundSocket): void {
    for (let round = 0; round < DRAIN_ROUNDS; round++) {
      if (this.receive(socket, EPOLL.IN) === 0) return;
    }
  }

  /** Keeps the return address of a receive slot. */
  keep(slot: number): number {
    const index = this.#free.pop() ?? this.#keptSockets.length;
    if ((index + 1) * KEPT_SIZE > this.#kept.bytes.length) {
      const larger = new Memory(2 * this.#kept.bytes.length);
      larger.bytes.set(this.#kept.bytes);
      this.#kept = larger;
    }
    const at = index * KEPT_SIZE;
    copyWords(this.#in.names, slot * SOCKADDR_SIZE, this.#kept, at, SOCKADDR_SIZE);
    copyWords(
      this.#in.controls,
      slot * CONTROL_SIZE,
      this.#kept,
      at + SOCKADDR_SIZE,
      CONTROL_SIZE,
    );
    this.#keptSockets[index] = this.#socket;
    this.#keptControl[index] = this.#in.headers.view.getUint32(
      slot * MMSGHDR.size + MMSGHDR.controlLength,
      true,
    );
    return index;
  }

  /** Queues a response to a kept return address, and lets go of it. */
  reply(index: number, memory: Memory, offset: number, length: number): void {
    const socket = this.#keptSockets[index]!;
    if (this.#outCount === BATCH || (this.#outFd !== socket.fd && this.#outCount > 0)) this.flush();
    this.#outFd = socket.fd;
    copyWords(memory, offset, this.#out.data, this.#outCount * RESPONSE_SIZE, length);
    const at = index * KEPT_SIZE;
    this.#commit(socket, length, {
      names: this.#kept,
      nameAt: at,
      controls: this.#kept,
      controlAt: at + SOCKADDR_SIZE,
      controlLength: this.#keptControl[index]!,
    });
    this.forget(index);
  }

  /** Lets go of a kept return address. */
  forget(index: number): void {
    if (this.#keptSockets[index] === null) return;
    this.#keptSockets[index] = null;
    this.#free.push(index);
  }

  /** Sends what is queued. */
  flush(): void {
    const count = this.#outCount;
    if (count === 0) return;
    this.#outCount = 0;
    const { bytes } = this.#out.headers;
    let sent = this.#libc.sendmmsg(this.#outFd, bytes, count, MSG.DONTWAIT | MSG.NOSIGNAL);
    // One bad destination stops a batch: step over it and go on.
    while (sent < count) {
      if (sent < 0) sent = 0;
      const more = this.#libc.sendmmsg(
        this.#outFd,
        bytes.subarray(sent * MMSGHDR.size),
        count - sent,
        MSG.DONTWAIT | MSG.NOSIGNAL,
      );
      if (more > 0) {
        sent += more;
      } else {
        this.#engine().values[COUNTER.SENDS_LOST]!++;
        sent++;
      }
    }
  }

  /** Family of the client's address: that of the socket, unless it takes both in. */
  family(of: "slot" | "kept", reference: number): 4 | 6 {
    const socket = of === "slot" ? this.#socket! : this.#keptSockets[reference]!;
    if (socket.inherited?.dual !== true) return socket.family;
    this.address(of, reference, "client", this.#client);
    this.#client.unmap();
    return this.#client.family;
  }
  readonly #client = new Address();

  /** Reads the client's or the asked address of a slot or kept address. */
  address(
    of: "slot" | "kept",
    reference: number,
    side: "client" | "local",
    target: Address,
  ): void {
    const socket = of === "slot" ? this.#socket! : this.#keptSockets[reference]!;
    const names = of === "slot" ? this.#in.names : this.#kept;
    const nameAt = reference * (of === "slot" ? SOCKADDR_SIZE : KEPT_SIZE);
    if (side === "client") {
      readSockaddr(names.view, nameAt, target);
      return;
    }
    const length = new Uint32Array([SOCKADDR_SIZE]);
    const local = new Memory(SOCKADDR_SIZE);
    this.#libc.getsockname(socket.fd, local.bytes, length);
    readSockaddr(local.view, 0, target);
    if (!socket.wildcard) return;
    const controls = of === "slot" ? this.#in.controls : this.#kept;
    const controlAt = of === "slot"
      ? reference * CONTROL_SIZE
      : reference * KEPT_SIZE + SOCKADDR_SIZE;
    const from = socket.family === 4 ? controlAt + 16 + 4 : controlAt + 16;
    for (let i = 0; i < (socket.family === 4 ? 4 : 16); i++) {
      target.bytes[i] = controls.bytes[from + i]!;
    }
  }

  /** Takes datagrams in; returns how many the last look found. */
  receive(socket: BoundSocket, events: number): number {
    if ((events & (EPOLL.IN | EPOLL.ERR)) === 0) return 0;
    const engine = this.#engine();
    const incoming = this.#in;
    const { view } = incoming.headers;
    for (let round = 0; round < ROUNDS; round++) {
      const count = this.#libc.recvmmsg(
        socket.fd,
        incoming.headers.bytes,
        BATCH,
        MSG.DONTWAIT,
        null,
      );
      if (count <= 0) return 0;
      if (this.#outFd !== socket.fd) {
        this.flush();
        this.#outFd = socket.fd;
      }
      this.#socket = socket;
      for (let slot = 0; slot < count; slot++) {
        if (this.#outCount === BATCH) this.flush();
        const header = slot * MMSGHDR.size;
        const length = engine.datagram(
          socket.listener,
          slot,
          incoming.data,
          slot * QUERY_SIZE,
          view.getUint32(header + MMSGHDR.length, true),
          this.#out.data,
          this.#outCount * RESPONSE_SIZE,
        );
        if (length > 0) this.#answer(socket, slot, length);
        incoming.reset(slot);
      }
      this.flush();
      if (count < BATCH) return count;
    }
    return BATCH;
  }

  #answer(socket: BoundSocket, slot: number, length: number): void {
    const out = this.#out;
    const row = this.#outCount++;
    out.setLength(row, length);
    const from = slot * MMSGHDR.size;
    const to = row * MMSGHDR.size;
    const { view } = this.#in.headers;
    copyWords(this.#in.names, slot * SOCKADDR_SIZE, out.names, row * SOCKADDR_SIZE, SOCKADDR_SIZE);
    out.headers.view.setUint32(
      to + MMSGHDR.nameLength,
      view.getUint32(from + MMSGHDR.nameLength, true),
      true,
    );
    let control = 0;
    if (socket.wildcard) {
      control = view.getUint32(from + MMSGHDR.controlLength, true);
      copyWords(this.#in.controls, slot * CONTROL_SIZE, out.controls, row * CONTROL_SIZE, control);
      this.#clearInterface(socket, row);
    }
    out.headers.view.setUint32(to + MMSGHDR.controlLength, control, true);
  }

  #commit(
    socket: BoundSocket,
    length: number,
    from: {
      names: Memory;
      nameAt: number;
      controls: Memory;
      controlAt: number;
      controlLength: number;
    },
  ): void {
    const out = this.#out;
    const row = this.#outCount++;
    out.setLength(row, length);
    const to = row * MMSGHDR.size;
    copyWords(from.names, from.nameAt, out.names, row * SOCKADDR_SIZE, SOCKADDR_SIZE);
    out.headers.view.setUint32(to + MMSGHDR.nameLength, socket.family === 4 ? 16 : 28, true);
    let control = 0;
    if (socket.wildcard) {
      control = from.controlLength;
      copyWords(from.controls, from.controlAt, out.controls, row * CONTROL_SIZE, control);
      this.#clearInterface(socket, row);
    }
    out.headers.view.setUint32(to + MMSGHDR.controlLength, control, true);
  }

  /** The reply takes the route of its destination, not the interface that the query came by. */
  #clearInterface(socket: BoundSocket, row: number): void {
    const at = row * CONTROL_SIZE + 16 + (socket.family === 4 ? 0 : 16);
    this.#out.controls.view.setUint32(at, 0, true);
  }
}
