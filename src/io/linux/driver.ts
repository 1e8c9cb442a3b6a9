import { Address } from "../../dns/address.ts";
import { COUNTER } from "../../engine/counters.ts";
import type { Engine } from "../../engine/engine.ts";
import type { Memory } from "../../engine/memory.ts";
import { CLOCK_MONOTONIC, EPOLL } from "../../sys/constants.ts";
import type { Libc } from "../../sys/libc.ts";
import { raiseFileLimit } from "../../sys/limits.ts";
import { readSockaddr, SOCKADDR_SIZE, writeSockaddr } from "../../sys/sockaddr.ts";
import type { DatagramHandler, Endpoint, Io, StreamHandler } from "../contract.ts";
import { ClientDatagrams } from "./datagrams.ts";
import { Lane, LANE_STREAMS, type LaneCommand } from "../lane.ts";
import type { BoundSocket } from "./listen.ts";
import { Poller } from "./poller.ts";
import { type LooseStream, Streams } from "./streams.ts";
import { UpstreamSockets } from "./upstream_sockets.ts";

/** Longest sleep: the loop counts a heartbeat at least this often. */
const MAX_SLEEP_MS = 1000;
/** UDP sockets towards upstreams; each serves one query at a time, and is kept for the next. */
const MAX_UPSTREAM_SOCKETS = 8192;
/** Share of the process's file descriptors for them; clients' connections need the others. */
const SOCKET_SHARE = 0.5;
/** Queries that may wait, as a share of the sockets: some are sent twice before one is answered. */
const EXCHANGE_SHARE = 0.75;

/** The discard service's port (RFC 863), from which nothing ever comes. */
const DISCARD_PORT = 9;

/**
 * Which of the sockets served another process goes on with: it must find in them what comes, so they
 * are not turned away. "taken" are those that came from another process themselves.
 */
export type SharedSockets = "none" | "taken" | "all";

/** What a driver needs from the thread that it runs in. */
export interface LinuxDriverOptions {
  libc: Libc;
  /** SO_MARK of everything that goes to upstreams; 0 for none. */
  mark: number;
  /** eventfd that the control plane writes to when it has a message. */
  wakeFd: number;
  /** Handles the control plane's messages; returns false to stop. */
  onWake: () => boolean;
  /** Takes what encrypted streams ask of the control plane, with the buffers in it. */
  toLane: (commands: LaneCommand[]) => void;
  /** Called once a loop, after the answers are out. */
  afterLoop: () => void;
  /** Reports an exception that reached the loop: a fault of nodens, never of a peer's. */
  onPanic: (error: unknown) => void;
  /** Takes a client's connection that was let go of for another process. */
  onReleased?: (stream: LooseStream) => void;
}

/**
 * The data plane's loop on Linux: epoll, and batches of datagrams.
 * It blocks its thread until the control plane stops it.
 */
export class LinuxDriver implements Io {
  /** Encrypted streams; the control plane's reports are handed to it. */
  readonly lane: Lane;
  /** Most queries that it can keep waiting at a time. */
  readonly maxExchanges: number;
  readonly #options: LinuxDriverOptions;
  readonly #poller: Poller;
  readonly #datagrams: ClientDatagrams;
  readonly #streams: Streams;
  readonly #sockets: UpstreamSockets;
  readonly #wakeBuffer = new Uint8Array(8);
  /** `struct timespec`: seconds in words 0 and 1, nanoseconds in words 2 and 3. */
  readonly #time = new Uint32Array(4);
  readonly #timeBytes = new Uint8Array(this.#time.buffer);
  /** Sockets that queries are taken from, by descriptor. */
  readonly #served = new Map<number, BoundSocket>();
  #engine!: Engine;
  #running = true;
  #woken = false;

  constructor(options: LinuxDriverOptions) {
    const { libc } = options;
    this.#options = options;
    this.lane = new Lane(options.toLane);
    this.#poller = new Poller(libc);
    this.#datagrams = new ClientDatagrams(libc, () => this.#engine);
    this.#streams = new Streams(libc, this.#poller, () => this.#engine, options.mark);
    const sockets = upstreamSocketLimit(libc);
    this.maxExchanges = Math.floor(EXCHANGE_SHARE * sockets);
    this.#sockets = new UpstreamSockets(libc, this.#poller, sockets, options.mark);
    this.#poller.add(options.wakeFd, EPOLL.IN, { ready: () => this.#woken = true });
  }

  /** Connects the engine, before it is configured, and sets its clock. */
  attach(engine: Engine): void {
    this.#engine = engine;
    this.#readClock();
  }

  /** Serves these sockets from now on, if it does not yet. */
  serve(sockets: readonly BoundSocket[]): void {
    for (const socket of sockets) {
      if (this.#served.has(socket.fd)) continue;
      this.#served.set(socket.fd, socket);
      const target = socket.kind === "udp"
        ? this.#datagrams.target(socket)
        : this.#streams.listener(socket);
      this.#poller.add(socket.fd, EPOLL.IN, target);
    }
  }

  /** Changes what it serves; `takeOver` has the engine take over the configuration. */
  change(
    { opened, closing }: { opened: readonly BoundSocket[]; closing: readonly BoundSocket[] },
    takeOver: () => void,
  ): void {
    // What has come for listeners that go is answered by what served them.
    this.#retire(closing, "none");
    takeOver();
    this.serve(opened);
  }

  /**
   * Takes no more queries from anywhere; those that wait are answered still.
   *
   * @param shared - sockets that another process goes on with, and with all clients' streams
   */
  retireAll(shared: SharedSockets): void {
    this.#retire([...this.#served.values()], shared);
  }

  /** Takes in clients' connections that another process has served. */
  adopt(streams: readonly LooseStream[]): void {
    for (const stream of streams) this.#streams.adopt(stream);
  }

  /**
   * Takes no new queries from these sockets: answers what has come, then leaves them alone. They stay
   * open for the answers that are still to come.
   */
  #retire(sockets: readonly BoundSocket[], shared: SharedSockets): void {
    for (const socket of sockets) {
      if (!this.#served.delete(socket.fd)) continue;
      if (socket.kind === "udp") {
        // One that was handed over keeps for the next process what comes from now on.
        const { inherited } = socket;
        const goesOn = shared === "all" || inherited?.kept || (shared === "taken" && inherited);
        if (!goesOn) turnAway(this.#options.libc, socket.fd);
        this.#datagrams.drain(socket);
      } else {
        this.#streams.drain(socket);
      }
      this.#poller.remove(socket.fd);
    }
    if (shared !== "none") this.#engine.releaseStreams();
    else this.#engine.retireStreams(new Set(sockets.map(({ listener }) => listener)));
    this.#datagrams.flush();
  }

  /** Runs until `onWake` returns false; may be called again. */
  run(): void {
    const { onPanic, afterLoop } = this.#options;
    const engine = this.#engine;
    this.#running = true;
    this.#readClock();
    while (this.#running) {
      const sleep = engine.nextDeadlineMs - engine.nowMs;
      const timeout = sleep <= 0 ? 0 : sleep >= MAX_SLEEP_MS ? MAX_SLEEP_MS : Math.ceil(sleep);
      const count = this.#poller.wait(timeout);
      this.#readClock();
      engine.values[COUNTER.HEARTBEAT]!++;
      for (let i = 0; i < count; i++) {
        try {
          this.#poller.dispatch(i);
        } catch (error) {
          engine.values[COUNTER.PANICS]!++;
          onPanic(error);
        }
      }
      try {
        // After everything that has come: a message may close sockets.
        if (this.#woken) this.#wake();
        if (engine.nextDeadlineMs <= engine.nowMs) engine.runTimers();
        this.#datagrams.flush();
        this.#sockets.settle();
        this.lane.flush();
        afterLoop();
      } catch (error) {
        engine.values[COUNTER.PANICS]!++;
        onPanic(error);
      }
    }
  }

  /** Closes everything but the sockets that it was given. */
  end(): void {
    this.#streams.close();
    this.#sockets.close();
    this.#poller.close();
  }

  keep(slot: number): number {
    return this.#datagrams.keep(slot);
  }

  reply(returnAddress: number, memory: Memory, offset: number, length: number): void {
    this.#datagrams.reply(returnAddress, memory, offset, length);
  }

  forget(returnAddress: number): void {
    this.#datagrams.forget(returnAddress);
  }

  connect(endpoint: Endpoint, handler: StreamHandler): number {
    return endpoint.tls === null
      ? this.#streams.connect(endpoint, handler)
      : this.lane.connect(endpoint, handler);
  }

  write(stream: number, memory: Memory, offset: number, length: number): void {
    if (stream >= LANE_STREAMS) this.lane.write(stream, memory, offset, length);
    else this.#streams.get(stream)?.write(memory, offset, length);
  }

  queued(stream: number): number {
    if (stream >= LANE_STREAMS) return this.lane.queued(stream);
    return this.#streams.get(stream)?.queued ?? 0;
  }

  queueSize(stream: number): number {
    if (stream >= LANE_STREAMS) return this.lane.queued(stream);
    return this.#streams.get(stream)?.queueSize ?? 0;
  }

  inKernel(stream: number): number {
    return stream >= LANE_STREAMS ? 0 : this.#streams.get(stream)?.inKernel ?? 0;
  }

  pause(stream: number, paused: boolean): void {
    if (stream >= LANE_STREAMS) this.lane.pause(stream, paused);
    else this.#streams.get(stream)?.pause(paused);
  }

  close(stream: number, abrupt = false): void {
    if (stream >= LANE_STREAMS) this.lane.close(stream);
    else this.#streams.get(stream)?.close(abrupt);
  }

  detach(id: number, listener: number, pending: Uint8Array): void {
    const stream = this.#streams.get(id);
    if (stream === null) return;
    this.#options.onReleased?.({ fd: this.#streams.detach(stream), listener, pending });
  }

  open(endpoint: Endpoint, handler: DatagramHandler): number {
    return this.#sockets.open(endpoint, handler);
  }

  send(socket: number, memory: Memory, offset: number, length: number): boolean {
    return this.#sockets.send(socket, memory, offset, length);
  }

  release(socket: number): void {
    this.#sockets.release(socket);
  }

  family(of: "slot" | "kept" | "stream", reference: number): 4 | 6 {
    if (of !== "stream") return this.#datagrams.family(of, reference);
    this.#streams.address(reference, "client", this.#address);
    this.#address.unmap();
    return this.#address.family;
  }
  readonly #address = new Address();

  address(
    of: "slot" | "kept" | "stream",
    reference: number,
    side: "client" | "local",
    target: Address,
  ): void {
    if (of === "stream") this.#streams.address(reference, side, target);
    else this.#datagrams.address(of, reference, side, target);
    target.unmap();
  }

  /**
   * Reads the clock into the engine, once a batch.
   */
  #readClock(): void {
    this.#options.libc.clock_gettime(CLOCK_MONOTONIC, this.#timeBytes);
    this.#engine.nowMs = this.#time[0]! * 1000 + this.#time[2]! / 1e6;
  }

  #wake(): void {
    this.#woken = false;
    this.#options.libc.read(this.#options.wakeFd, this.#wakeBuffer, 8);
    if (!this.#options.onWake()) this.#running = false;
  }
}

/**
 * Lets a UDP socket receive nothing more, while it still sends: connected to a port of its own
 * address where nobody is, it is passed over for whatever comes from elsewhere.
 */
function turnAway(libc: Libc, fd: number): void {
  const name = new Uint8Array(SOCKADDR_SIZE);
  const length = new Uint32Array([SOCKADDR_SIZE]);
  if (libc.getsockname(fd, name, length) < 0) return;
  const address = new Address();
  readSockaddr(new DataView(name.buffer), 0, address);
  const wildcard = address.bytes.every((octet) => octet === 0);
  if (wildcard && address.family === 4) address.bytes.set([127, 0, 0, 1]);
  if (wildcard && address.family === 6) address.bytes[15] = 1;
  address.port = DISCARD_PORT;
  libc.connect(fd, name, writeSockaddr(address, name));
}

function upstreamSocketLimit(libc: Libc): number {
  return Math.min(MAX_UPSTREAM_SOCKETS, Math.floor(raiseFileLimit(libc) * SOCKET_SHARE));
}
