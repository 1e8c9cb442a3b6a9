import { Address, parseAddress } from "../../dns/address.ts";
import { COUNTER } from "../../engine/counters.ts";
import type { Traffic } from "../../engine/traffic.ts";
import { Memory } from "../../engine/memory.ts";
import type { ListenerConfig } from "../../config/types.ts";
import type { DatagramHandler, Endpoint, StreamHandler } from "../../engine/io.ts";
import { type Driver, type ListenerChange, ListenError } from "../driver.ts";
import type { FileShares } from "../file_shares.ts";
import { Lane, LANE_STREAMS } from "../lane.ts";
import type { LaneLink } from "../lane_link.ts";
import { PortableSockets } from "./sockets.ts";
import { PortableStreams } from "./streams.ts";

const QUERY_SIZE = 65536;
const RESPONSE_SIZE = 4096 + 16;
const MAX_SLEEP_MS = 1000;

/** What a driver needs from the thread that it runs in. */
export interface PortableDriverOptions {
  now: () => number;
  /** What it may have open. */
  files: FileShares;
  onPanic: (error: unknown) => void;
  afterLoop: () => void;
}

/** The sockets of one listener. */
interface Listening {
  readonly socket: Deno.DatagramConn;
  readonly tcp: Deno.TcpListener;
  readonly listener: number;
  /** Queries are no longer read. */
  retired: boolean;
}

/** Address and port that a listener has; the place of one that is gone has port 0. */
type Where = Pick<ListenerConfig, "address" | "port">;

/** Time that queries have to be answered before their socket is closed. */
const CLOSE_AFTER_MS = 6000;

/**
 * The data plane on the runtime's own sockets, for systems where the Linux driver cannot run. One
 * datagram at a time, so it costs about four times the CPU.
 */
export class PortableDriver implements Driver {
  /** Encrypted streams. */
  readonly lane: Lane;
  readonly #options: PortableDriverOptions;
  readonly #query = new Memory(QUERY_SIZE);
  readonly #response = new Memory(RESPONSE_SIZE);
  #listening: Listening[] = [];
  /** What is listened on, by the index of the listener. */
  #where: readonly Where[] = [];
  readonly #kept: ({ from: Listening; to: Deno.NetAddr } | null)[] = [];
  readonly #freeKept: number[] = [];
  readonly #streams: PortableStreams;
  readonly #sockets: PortableSockets;
  #engine!: Traffic;
  #current: { from: Listening; to: Deno.NetAddr } | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #timerMs = Infinity;
  #beat: ReturnType<typeof setInterval> | undefined;
  #stopped = false;
  /** The lane has more than one turn takes in. */
  #laneBusy = false;

  constructor(options: PortableDriverOptions) {
    this.#options = options;
    const { files } = options;
    this.lane = new Lane(files.encryptedStreams);
    const run = (work: () => void) => this.run(work);
    this.#streams = new PortableStreams(() => this.#engine, run, files.upstreamStreams);
    this.#sockets = new PortableSockets(
      run,
      files.upstreamSockets,
      () => this.#engine.buffers,
    );
  }

  nanoseconds(): number {
    return (this.#options.now() * 1e6) | 0;
  }

  attach(engine: Traffic): void {
    this.#engine = engine;
    engine.advance(this.#options.now());
  }

  /** Opens the listeners. Throws an error that names the address. */
  listen(listeners: readonly ListenerConfig[]): void {
    listeners.forEach((where, listener) => this.#open(where, listener));
    this.#where = listeners;
    this.#beat = setInterval(() => this.run(() => {}), MAX_SLEEP_MS);
  }

  attachLane(link: LaneLink | null, why: string): void {
    this.lane.attach(link, why);
    if (link !== null) link.port.onmessage = () => this.run(() => {});
  }

  change({ listeners }: Pick<ListenerChange, "listeners">, takeOver: () => void): void {
    const old = this.#where;
    const differs = (i: number) =>
      listeners[i]?.address !== old[i]?.address || listeners[i]?.port !== old[i]?.port;
    const going = this.#listening.filter(({ listener }) => differs(listener));
    const held = this.#listening.length;
    try {
      listeners.forEach((where, i) => {
        if (where.port !== 0 && differs(i)) this.#open(where, i);
      });
    } catch (error) {
      for (const from of this.#listening.splice(held)) {
        retire(from);
        from.socket.close();
      }
      throw error;
    }
    going.forEach(retire);
    this.#engine.retireStreams(new Set(going.map(({ listener }) => listener)));
    this.#where = listeners;
    takeOver();
    if (this.#engine.waiting === 0) this.#closeRetired();
    else setTimeout(() => this.#closeRetired(), CLOSE_AFTER_MS);
  }

  retireAll(): void {
    this.#listening.forEach(retire);
    this.#engine.drainStreams();
  }

  get drained(): boolean {
    return this.#engine.waiting === 0 && this.#engine.openStreams === 0;
  }

  /** Closes everything. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    clearInterval(this.#beat);
    for (const from of this.#listening) {
      if (!from.retired) retire(from);
      from.socket.close();
    }
    this.#streams.close();
    this.#sockets.close();
  }

  /** Runs a piece of the engine's work with the clock set, then sees to timers and log. */
  run(work: () => void): void {
    const engine = this.#engine;
    engine.advance(this.#options.now());
    engine.values[COUNTER.HEARTBEAT]!++;
    engine.values[COUNTER.UNEXPECTED_UDP]! += this.#sockets.unexpected;
    this.#sockets.unexpected = 0;
    try {
      work();
      this.#laneBusy = this.lane.receive();
      if (engine.nextDeadlineMs <= engine.nowMs) engine.runTimers();
      this.lane.flush();
      this.#laneBusy ||= this.lane.unfinished;
    } catch (error) {
      engine.values[COUNTER.PANICS]!++;
      this.#options.onPanic(error);
    }
    this.#options.afterLoop();
    const nextMs = this.#laneBusy ? engine.nowMs : engine.nextDeadlineMs;
    if (this.#stopped || nextMs === this.#timerMs) return;
    clearTimeout(this.#timer);
    this.#timerMs = nextMs;
    if (nextMs === Infinity) return;
    this.#timer = setTimeout(() => {
      this.#timerMs = Infinity;
      this.run(() => {});
    }, Math.max(1, Math.ceil(nextMs - engine.nowMs)));
  }

  keep(_slot: number): number {
    const index = this.#freeKept.pop() ?? this.#kept.length;
    this.#kept[index] = this.#current;
    return index;
  }

  reply(returnAddress: number, memory: Memory, offset: number, length: number): void {
    const kept = this.#kept[returnAddress]!;
    this.#send(kept, memory.bytes.slice(offset, offset + length));
    this.forget(returnAddress);
  }

  forget(returnAddress: number): void {
    this.#kept[returnAddress] = null;
    this.#freeKept.push(returnAddress);
  }

  connect(endpoint: Endpoint, handler: StreamHandler): number {
    return endpoint.tls === null
      ? this.#streams.connect(endpoint, handler)
      : this.lane.connect(endpoint, handler);
  }

  write(stream: number, memory: Memory, offset: number, length: number): void {
    if (stream >= LANE_STREAMS) this.lane.write(stream, memory, offset, length);
    else this.#streams.write(stream, memory, offset, length);
  }

  hasRoom(stream: number, length: number): boolean {
    return stream < LANE_STREAMS || this.lane.hasRoom(stream, length);
  }

  queued(stream: number): number {
    return stream >= LANE_STREAMS ? this.lane.queued(stream) : this.#streams.queued(stream);
  }

  queueSize(stream: number): number {
    return this.queued(stream);
  }

  inKernel(_stream: number): number {
    return 0;
  }

  pause(stream: number, paused: boolean): void {
    // Clients' streams alone are paused.
    this.#streams.pause(stream, paused);
  }

  close(stream: number, abrupt = false): void {
    if (stream >= LANE_STREAMS) this.lane.close(stream, abrupt);
    else this.#streams.closeOne(stream, abrupt);
  }

  finish(stream: number): void {
    this.#streams.finish(stream);
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
    const address = new Address();
    this.address(of, reference, "client", address);
    return address.family;
  }

  address(
    of: "slot" | "kept" | "stream",
    reference: number,
    side: "client" | "local",
    target: Address,
  ): void {
    let found: Deno.NetAddr | null;
    if (of === "stream") found = this.#streams.address(reference, side);
    else {
      const peer = of === "slot" ? this.#current! : this.#kept[reference]!;
      found = side === "client" ? peer.to : peer.from.socket.addr as Deno.NetAddr;
    }
    if (found === null) return;
    const bytes = parseAddress(found.hostname);
    if (bytes === null) return;
    target.family = bytes.length === 4 ? 4 : 6;
    target.bytes.set(bytes);
    target.port = found.port;
    target.unmap();
  }

  #open({ address, port }: Where, listener: number): void {
    // The runtime's IPv6 wildcard takes IPv4 in as well; without IPv6 there is IPv4 alone.
    for (const hostname of address === "" ? ["::", "0.0.0.0"] : [address]) {
      try {
        const socket = Deno.listenDatagram({ transport: "udp", hostname, port });
        const from = { socket, tcp: this.#listenTcp(socket, listener), listener, retired: false };
        this.#listening.push(from);
        void this.#receive(from);
        return;
      } catch (error) {
        if (hostname === "::" && address === "") continue;
        const why = error instanceof Error ? error.message : String(error);
        throw new ListenError(`Cannot listen on ${hostname}:${port}: ${why}`);
      }
    }
  }

  /** Listens where the datagram socket does; closes that where it cannot. */
  #listenTcp(socket: Deno.DatagramConn, listener: number): Deno.TcpListener {
    const { hostname, port } = socket.addr as Deno.NetAddr;
    try {
      return this.#streams.listen(hostname, port, listener);
    } catch (error) {
      socket.close();
      throw error;
    }
  }

  #closeRetired(): void {
    if (this.#stopped) return;
    for (const { socket, retired } of this.#listening) if (retired) socket.close();
    this.#listening = this.#listening.filter(({ retired }) => !retired);
  }

  async #receive(from: Listening): Promise<void> {
    const buffer = new Uint8Array(QUERY_SIZE);
    while (!this.#stopped && !from.retired) {
      let length: number;
      let to: Deno.NetAddr;
      try {
        const [bytes, address] = await from.socket.receive(buffer);
        to = address as Deno.NetAddr;
        length = bytes.length;
        this.#query.bytes.set(bytes);
      } catch {
        // A refused reply shows up at the next receive; a closed socket ends the loop.
        continue;
      }
      if (from.retired) return;
      this.#current = { from, to };
      this.run(() => {
        const size = this.#engine.datagram(
          from.listener,
          0,
          this.#query,
          0,
          length,
          this.#response,
          0,
        );
        if (size > 0) this.#send(this.#current!, this.#response.bytes.slice(0, size));
      });
      this.#current = null;
    }
  }

  #send(peer: { from: Listening; to: Deno.NetAddr }, bytes: Uint8Array): void {
    peer.from.socket.send(bytes, peer.to).catch(() => {
      this.#engine.values[COUNTER.SENDS_LOST]!++;
    });
  }
}

/** Takes no more from a listener's sockets; the datagram socket stays open for answers. */
function retire(from: Listening): void {
  from.retired = true;
  from.tcp.close();
}
