import { Address } from "../../dns/address.ts";
import { COUNTER } from "../../engine/counters.ts";
import type { Traffic } from "../../engine/traffic.ts";
import type { Memory } from "../../engine/memory.ts";
import { CLOCK_BOOTTIME, CLOCK_MONOTONIC, EPOLL } from "../../sys/constants.ts";
import type { Libc } from "../../sys/libc.ts";
import { readSockaddr, SOCKADDR_SIZE, writeSockaddr } from "../../sys/sockaddr.ts";
import type { DatagramHandler, Endpoint, StreamHandler } from "../../engine/io.ts";
import { ClientDatagrams } from "./datagrams.ts";
import type { Driver, ListenerChange } from "../driver.ts";
import type { FileShares } from "../file_shares.ts";
import { Lane, LANE_STREAMS } from "../lane.ts";
import type { LaneLink } from "../lane_link.ts";
import type { BoundSocket } from "../sockets.ts";
import { Poller } from "./poller.ts";
import { Streams } from "./streams.ts";
import { UpstreamSockets } from "./upstream_sockets.ts";

/** Longest sleep: the loop counts a heartbeat at least this often. */
const MAX_SLEEP_MS = 1000;

/**
 * Time after which nothing comes any more to a UDP socket that is turned away: what the kernel was
 * about to put into it is there. Twenty milliseconds lost nothing at 60,000 queries a second.
 */
const SETTLE_MS = 20;

/** The discard service's port (RFC 863), from which nothing ever comes. */
const DISCARD_PORT = 9;

/** What a driver needs from the thread that it runs in. */
export interface LinuxDriverOptions {
  libc: Libc;
  /** SO_MARK of everything that goes to upstreams; 0 for none. */
  mark: number;
  /** What it may have open. */
  files: FileShares;
  /** eventfd that the control plane writes to when it has a message. */
  wakeFd: number;
  /** Handles the control plane's messages; returns false to stop. */
  onWake: () => boolean;
  /** eventfd that the thread which speaks TLS writes to when something has come. */
  laneFd: number;
  /** Called once a loop, after the answers are out. */
  afterLoop: () => void;
  /** Reports an exception that reached the loop: a fault of nodens, never of a peer's. */
  onPanic: (error: unknown) => void;
}

/**
 * The data plane's loop on Linux: epoll, and batches of datagrams.
 * It blocks its thread until the control plane stops it.
 */
export class LinuxDriver implements Driver {
  /** Encrypted streams. */
  readonly lane: Lane;
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
  /** Those of `#served` that are UDP. */
  #datagramSockets: BoundSocket[] = [];
  #engine!: Traffic;
  /** Turned away, but still read for a moment. */
  #settling: BoundSocket[] = [];
  #running = true;
  #woken = false;
  /** The lane has more than one turn takes in. */
  #laneBusy = false;

  constructor(options: LinuxDriverOptions) {
    const { libc, files } = options;
    this.#options = options;
    this.lane = new Lane(files.encryptedStreams);
    this.#poller = new Poller(libc);
    this.#datagrams = new ClientDatagrams(libc, () => this.#engine);
    this.#streams = new Streams(libc, this.#poller, () => this.#engine, {
      mark: options.mark,
      mostUpstreams: files.upstreamStreams,
    });
    this.#sockets = new UpstreamSockets(libc, this.#poller, files.upstreamSockets, options.mark);
    this.#poller.add(options.wakeFd, EPOLL.IN, { ready: () => this.#woken = true });
    // Edge-triggered, so that it need not be read: it only ends the wait.
    this.#poller.add(options.laneFd, EPOLL.IN | EPOLL.ET, { ready: () => {} });
  }

  attach(engine: Traffic): void {
    this.#engine = engine;
    this.#readClock();
  }

  attachLane(link: LaneLink | null, why: string): void {
    // An eventfd wakes the loop, which never yields to the port.
    this.lane.attach(link, why);
  }

  serve(sockets: readonly BoundSocket[]): void {
    for (const socket of sockets) {
      if (this.#served.has(socket.fd)) continue;
      this.#served.set(socket.fd, socket);
      if (socket.kind === "udp") this.#datagramSockets.push(socket);
      const target = socket.kind === "udp"
        ? this.#datagrams.target(socket)
        : this.#streams.listener(socket);
      this.#poller.add(socket.fd, EPOLL.IN, target);
    }
  }

  change({ opened, closing }: ListenerChange, takeOver: () => void): void {
    // Queries for listeners that go are answered by the old configuration.
    this.#retire(closing);
    takeOver();
    this.serve(opened);
  }

  /**
   * Accepts no more queries: those that come go to whoever else is bound to the address. What has
   * come is answered, and clients' streams are closed when they are silent; see `drained`.
   */
  retireAll(): void {
    const sockets = [...this.#served.values()];
    this.#settling = sockets.filter((one) => one.kind === "udp" && one.inherited === undefined);
    const settling = new Set(this.#settling);
    for (const { fd } of this.#settling) turnAway(this.#options.libc, fd);
    for (const socket of sockets) if (!settling.has(socket)) this.#leave(socket);
    const { timers, nowMs } = this.#engine;
    timers.set(timers.create(() => this.#leaveSettled()), nowMs + SETTLE_MS);
    this.#engine.drainStreams();
    this.#datagrams.flush();
  }

  get drained(): boolean {
    const { waiting, openStreams } = this.#engine;
    return this.#settling.length === 0 && waiting === 0 && openStreams === 0;
  }

  #leaveSettled(): void {
    for (const socket of this.#settling) this.#leave(socket);
    this.#settling = [];
  }

  /**
   * Takes no new queries from these sockets: answers what has come, then leaves them alone. They stay
   * open for the answers that are still to come.
   */
  #retire(sockets: readonly BoundSocket[]): void {
    for (const socket of sockets) {
      // One that was handed over keeps for the next process what comes from now on.
      const turned = socket.kind === "udp" && socket.inherited === undefined;
      if (turned) turnAway(this.#options.libc, socket.fd);
      this.#leave(socket);
    }
    this.#engine.retireStreams(new Set(sockets.map(({ listener }) => listener)));
    this.#datagrams.flush();
  }

  /** Takes in what has come to a socket, and leaves it alone from then on. */
  #leave(socket: BoundSocket): void {
    if (!this.#served.delete(socket.fd)) return;
    if (socket.kind === "udp") {
      this.#datagramSockets = this.#datagramSockets.filter((other) => other !== socket);
      this.#datagrams.drain(socket);
    } else {
      this.#streams.drain(socket);
    }
    this.#poller.remove(socket.fd);
  }

  /** Runs until `onWake` returns false; may be called again. */
  run(): void {
    const { onPanic, afterLoop } = this.#options;
    const engine = this.#engine;
    this.#running = true;
    this.#readClock();
    while (this.#running) {
      const sleep = engine.nextDeadlineMs - engine.nowMs;
      const timeout = this.#laneBusy || sleep <= 0
        ? 0
        : sleep >= MAX_SLEEP_MS
        ? MAX_SLEEP_MS
        : Math.ceil(sleep);
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
        if (!this.#poller.roundOver) this.#answerDatagrams();
        // After everything that has come: a message may close sockets.
        if (this.#woken) this.#wake();
        this.#laneBusy = this.lane.receive();
        if (engine.nextDeadlineMs <= engine.nowMs) engine.runTimers();
        this.#datagrams.flush();
        if (this.#poller.roundOver) this.#sockets.settle(engine.nowMs);
        this.#countDatagrams();
        this.lane.flush();
        this.#laneBusy ||= this.lane.unfinished;
        afterLoop();
      } catch (error) {
        engine.values[COUNTER.PANICS]!++;
        onPanic(error);
      }
    }
  }

  /**
   * Answers datagrams ahead of the events that are still to be taken: epoll would give a socket its
   * turn behind two thousand connections that one client closes at once.
   */
  #answerDatagrams(): void {
    const sockets = this.#datagramSockets;
    for (let i = 0; i < sockets.length; i++) this.#datagrams.receive(sockets[i]!, EPOLL.IN);
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

  hasRoom(stream: number, length: number): boolean {
    return stream < LANE_STREAMS || this.lane.hasRoom(stream, length);
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
    // Clients' streams alone are paused.
    this.#streams.get(stream)?.pause(paused);
  }

  close(stream: number, abrupt = false): void {
    if (stream >= LANE_STREAMS) this.lane.close(stream, abrupt);
    else this.#streams.get(stream)?.close(abrupt);
  }

  finish(stream: number): void {
    this.#streams.get(stream)?.finish();
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

  nanoseconds(): number {
    this.#options.libc.clock_gettime(CLOCK_MONOTONIC, this.#timeBytes);
    return (Math.imul(this.#time[0]!, 1e9) + this.#time[2]!) | 0;
  }

  /** Reads the clock into the engine, once a batch. Answers age while the machine is suspended. */
  #readClock(): void {
    this.#options.libc.clock_gettime(CLOCK_BOOTTIME, this.#timeBytes);
    this.#engine.nowMs = this.#time[0]! * 1000 + this.#time[2]! / 1e6;
  }

  /** Counts what happened to datagrams of upstreams since the last round. */
  #countDatagrams(): void {
    const { values } = this.#engine;
    values[COUNTER.UNEXPECTED_UDP]! += this.#sockets.late;
    values[COUNTER.QUERIES_LOST]! += this.#sockets.lost;
    this.#sockets.late = 0;
    this.#sockets.lost = 0;
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
