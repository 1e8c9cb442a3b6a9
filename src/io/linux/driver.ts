import type { Address } from "../../dns/address.ts";
import { COUNTER } from "../../engine/counters.ts";
import type { ClientKind, Side } from "../../engine/io.ts";
import type { Memory } from "../../engine/memory.ts";
import type { Traffic } from "../../engine/engine.ts";
import { CLOCK, EPOLL } from "../../sys/constants.ts";
import type { Libc } from "../../sys/libc.ts";
import { isWildcard, readLocalAddress, sockaddrOf } from "../../sys/sockaddr.ts";
import { Driver, type DriverOptions, type ListenerChange, MAX_SLEEP_MS } from "../driver.ts";
import type { BoundSocket } from "../sockets.ts";
import { ClientDatagrams } from "./datagrams.ts";
import { Poller } from "./poller.ts";
import { Streams } from "./streams.ts";
import { UpstreamSockets } from "./upstream_sockets.ts";

/** Until a disconnected socket is silent; lost nothing at 60,000 q/s. */
const SILENT_AFTER_MS = 20;

/** Discard service (RFC 863): never sends. */
const DISCARD_PORT = 9;

interface LinuxDriverOptions extends DriverOptions {
  libc: Libc;
  mark: number;
  /** Control plane's eventfd. */
  wakeFd: number;
  /** TLS thread's eventfd. */
  laneFd: number;
}

/** The loop on Linux. `run` blocks until the control plane stops it. */
export class LinuxDriver extends Driver {
  protected readonly streams: Streams;
  protected readonly sockets: UpstreamSockets;
  readonly #options: LinuxDriverOptions;
  readonly #poller: Poller;
  readonly #datagrams: ClientDatagrams;
  readonly #wakeBuffer = new Uint8Array(8);
  /** `struct timespec`. */
  readonly #time = new Uint32Array(4);
  readonly #timeBytes = new Uint8Array(this.#time.buffer);
  readonly #served = new Map<number, BoundSocket>();
  #datagramSockets: BoundSocket[] = [];
  /** Still read for a moment. */
  #turnedAway: BoundSocket[] = [];
  #woken = false;

  constructor(options: LinuxDriverOptions) {
    super(options);
    const { libc, files, mark } = options;
    const { upstreamStreams, upstreamSockets } = files;
    this.#options = options;
    this.#poller = new Poller(libc);
    this.#datagrams = new ClientDatagrams(libc, () => this.engine);
    this.streams = new Streams(libc, this.#poller, () => this.engine, {
      mark,
      maxUpstreams: upstreamStreams,
    });
    this.sockets = new UpstreamSockets(libc, this.#poller, upstreamSockets, mark);
    this.#poller.add(options.wakeFd, EPOLL.IN, { ready: () => this.#woken = true });
    // Edge-triggered: never read.
    this.#poller.add(options.laneFd, EPOLL.IN | EPOLL.ET, { ready: () => {} });
  }

  attach(engine: Traffic): void {
    this.engine = engine;
    engine.nowMs = this.milliseconds();
  }

  override serve(sockets: readonly BoundSocket[]): void {
    for (const socket of sockets) {
      if (this.#served.has(socket.fd)) continue;
      this.#served.set(socket.fd, socket);
      if (socket.kind === "udp") this.#datagramSockets.push(socket);
      const owner = socket.kind === "udp" ? this.#datagrams : this.streams;
      this.#poller.add(socket.fd, EPOLL.IN, owner.target(socket));
    }
  }

  change({ opened, closing }: ListenerChange, takeOver: () => void): void {
    // The old configuration answers last queries.
    for (const socket of closing) {
      if (mayTurnAway(socket)) turnAway(this.#options.libc, socket.fd);
      this.#leave(socket);
    }
    this.engine.streams.retire(new Set(closing.map(({ listener }) => listener)));
    this.#datagrams.flush();
    takeOver();
    this.serve(opened);
  }

  retireAll(): void {
    const sockets = [...this.#served.values()];
    this.#turnedAway = sockets.filter(mayTurnAway);
    for (const { fd } of this.#turnedAway) turnAway(this.#options.libc, fd);
    for (const socket of sockets) if (!mayTurnAway(socket)) this.#leave(socket);
    const { timers, nowMs } = this.engine;
    const leave = () => {
      for (const socket of this.#turnedAway) this.#leave(socket);
      this.#turnedAway = [];
    };
    timers.set(timers.create(leave), nowMs + SILENT_AFTER_MS);
    this.engine.streams.drain();
    this.#datagrams.flush();
  }

  override get drained(): boolean {
    return this.#turnedAway.length === 0 && super.drained;
  }

  /** Stops receiving; still sends. */
  #leave(socket: BoundSocket): void {
    if (!this.#served.delete(socket.fd)) return;
    if (socket.kind === "udp") {
      this.#datagramSockets = this.#datagramSockets.filter((other) => other !== socket);
      this.#datagrams.drain(socket);
    } else this.streams.drain(socket);
    this.#poller.remove(socket.fd);
  }

  /** Serves until messages are announced at `wakeFd`; returns their number. */
  run(): number {
    this.#serve(false);
    return this.#announced();
  }

  /** Serves what has arrived, without waiting. Messages stay announced. */
  turn(): void {
    this.#serve(true);
  }

  #serve(once: boolean): void {
    const { onPanic, afterLoop } = this.#options;
    const { engine } = this;
    // Messages may have left work.
    let busy = true;
    for (;;) {
      const sleepMs = Math.min(Math.max(0, engine.nextDeadlineMs - engine.nowMs), MAX_SLEEP_MS);
      const count = this.#poller.wait(busy ? 0 : Math.ceil(sleepMs));
      engine.nowMs = this.milliseconds();
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
        this.laneBusy = this.lane.receive();
        if (engine.nextDeadlineMs <= engine.nowMs) engine.runTimers();
        this.#datagrams.flush();
        if (this.#poller.roundOver) this.sockets.endRound(engine.nowMs);
        this.#countDatagrams();
        this.lane.flush();
        this.laneBusy ||= this.lane.unfinished;
        afterLoop();
      } catch (error) {
        engine.values[COUNTER.PANICS]!++;
        onPanic(error);
      }
      busy = this.laneBusy;
      // A message may close sockets.
      if (once || this.#woken) return;
    }
  }

  /** First: clients can cause thousands of events. */
  #answerDatagrams(): void {
    const sockets = this.#datagramSockets;
    for (let i = 0; i < sockets.length; i++) this.#datagrams.receive(sockets[i]!, EPOLL.IN);
  }

  /** Not the sockets of `serve`. */
  end(): void {
    this.streams.close();
    this.sockets.close();
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

  override family(of: ClientKind, reference: number): 4 | 6 {
    return of === "stream" ? super.family(of, reference) : this.#datagrams.family(of, reference);
  }

  address(of: ClientKind, reference: number, side: Side, target: Address): void {
    if (of === "stream") this.streams.address(reference, side, target);
    else this.#datagrams.address(of, reference, side, target);
    target.unmap();
  }

  nanoseconds(): number {
    this.#options.libc.clock_gettime(CLOCK.MONOTONIC, this.#timeBytes);
    return (Math.imul(this.#time[0]!, 1e9) + this.#time[2]!) | 0;
  }

  /** Answers age during suspend. */
  milliseconds(): number {
    this.#options.libc.clock_gettime(CLOCK.BOOTTIME, this.#timeBytes);
    return this.#time[0]! * 1000 + this.#time[2]! / 1e6;
  }

  #countDatagrams(): void {
    const { values } = this.engine;
    values[COUNTER.UNEXPECTED_UDP]! += this.sockets.late;
    values[COUNTER.QUERIES_LOST]! += this.sockets.lost;
    this.sockets.late = 0;
    this.sockets.lost = 0;
  }

  #announced(): number {
    this.#woken = false;
    this.#options.libc.read(this.#options.wakeFd, this.#wakeBuffer, 8);
    return new DataView(this.#wakeBuffer.buffer).getUint32(0, true);
  }
}

/** Inherited sockets keep queries. */
function mayTurnAway({ kind, inherited }: BoundSocket): boolean {
  return kind === "udp" && inherited === undefined;
}

/** By connecting to an unused local port. */
function turnAway(libc: Libc, fd: number): void {
  const address = readLocalAddress(libc, fd);
  if (address === null) return;
  if (isWildcard(address) && address.family === 4) address.bytes.set([127, 0, 0, 1]);
  else if (isWildcard(address)) address.bytes[15] = 1;
  address.port = DISCARD_PORT;
  const name = sockaddrOf(address);
  libc.connect(fd, name, name.length);
}
