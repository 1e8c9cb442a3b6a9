import { IndexTable } from "../../base/index_table.ts";
import type { ListenerConfig } from "../../config/types.ts";
import { type Address, parseAddress } from "../../dns/address.ts";
import { COUNTER } from "../../engine/counters.ts";
import type { ClientKind, Side } from "../../engine/io.ts";
import { Memory } from "../../engine/memory.ts";
import type { Traffic } from "../../engine/engine.ts";
import {
  Driver,
  type DriverOptions,
  type ListenerChange,
  ListenError,
  MAX_SLEEP_MS,
} from "../driver.ts";
import type { LaneLink } from "../lane_link.ts";
import type { ListenTarget } from "../sockets.ts";
import { PortableSockets } from "./sockets.ts";
import { PortableStreams } from "./streams.ts";

const QUERY_SIZE = 65536;
const RESPONSE_SIZE = 4096 + 16;
/** For last answers. */
const CLOSE_AFTER_MS = 6000;

interface PortableDriverOptions extends DriverOptions {
  now: () => number;
}

interface Listening {
  readonly socket: Deno.DatagramConn;
  readonly tcp: Deno.TcpListener;
  readonly listener: number;
  retired: boolean;
}

interface Client {
  from: Listening;
  to: Deno.NetAddr;
}

/** On the runtime's sockets: one datagram at a time, at four times the CPU. */
export class PortableDriver extends Driver {
  protected readonly streams: PortableStreams;
  protected readonly sockets: PortableSockets;
  readonly #options: PortableDriverOptions;
  readonly #query = new Memory(QUERY_SIZE);
  readonly #response = new Memory(RESPONSE_SIZE);
  #listening: Listening[] = [];
  #where: readonly ListenTarget[] = [];
  readonly #kept = new IndexTable<Client>();
  #current: Client | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #timerMs = Infinity;
  #beat: ReturnType<typeof setInterval> | undefined;
  #stopped = false;

  constructor(options: PortableDriverOptions) {
    super(options);
    this.#options = options;
    const { upstreamStreams, upstreamSockets } = options.files;
    const run = (work: () => void) => this.run(work);
    this.streams = new PortableStreams(() => this.engine, run, upstreamStreams);
    this.sockets = new PortableSockets(run, upstreamSockets, () => this.engine.buffers);
  }

  nanoseconds(): number {
    return (this.#options.now() * 1e6) | 0;
  }

  milliseconds(): number {
    return this.#options.now();
  }

  attach(engine: Traffic): void {
    this.engine = engine;
    engine.nowMs = this.#options.now();
  }

  override attachLane(link: LaneLink | null, why: string): void {
    super.attachLane(link, why);
    if (link !== null) link.port.onmessage = () => this.run(() => {});
  }

  listen(listeners: readonly ListenerConfig[]): void {
    listeners.forEach((where, listener) => this.#open(where, listener));
    this.#where = listeners;
    this.#beat = setInterval(() => this.run(() => {}), MAX_SLEEP_MS);
  }

  change({ listeners }: Pick<ListenerChange, "listeners">, takeOver: () => void): void {
    const old = this.#where;
    const differs = (i: number) =>
      listeners[i]?.address !== old[i]?.address || listeners[i]?.port !== old[i]?.port;
    const going = this.#listening.filter(({ listener }) => differs(listener));
    const before = this.#listening.length;
    try {
      listeners.forEach((where, i) => {
        if (where.port !== 0 && differs(i)) this.#open(where, i);
      });
    } catch (error) {
      for (const from of this.#listening.splice(before)) {
        retire(from);
        from.socket.close();
      }
      throw error;
    }
    going.forEach(retire);
    this.engine.streams.retire(new Set(going.map(({ listener }) => listener)));
    this.#where = listeners;
    takeOver();
    if (this.engine.waiting === 0) this.#closeRetired();
    else setTimeout(() => this.#closeRetired(), CLOSE_AFTER_MS);
  }

  retireAll(): void {
    this.#listening.forEach(retire);
    this.engine.streams.drain();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    clearInterval(this.#beat);
    for (const from of this.#listening) {
      retire(from);
      from.socket.close();
    }
    this.streams.close();
    this.sockets.close();
  }

  run(work: () => void): void {
    const { engine } = this;
    engine.nowMs = this.#options.now();
    engine.values[COUNTER.HEARTBEAT]!++;
    engine.values[COUNTER.UNEXPECTED_UDP]! += this.sockets.unexpected;
    this.sockets.unexpected = 0;
    try {
      work();
      this.laneBusy = this.lane.receive();
      if (engine.nextDeadlineMs <= engine.nowMs) engine.runTimers();
      this.lane.flush();
      this.laneBusy ||= this.lane.unfinished;
    } catch (error) {
      engine.values[COUNTER.PANICS]!++;
      this.#options.onPanic(error);
    }
    this.#options.afterLoop();
    const nextMs = this.laneBusy ? engine.nowMs : engine.nextDeadlineMs;
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
    return this.#kept.add(this.#current!);
  }

  reply(returnAddress: number, memory: Memory, offset: number, length: number): void {
    const client = this.#kept.remove(returnAddress)!;
    this.#send(client, memory.bytes.slice(offset, offset + length));
  }

  forget(returnAddress: number): void {
    this.#kept.remove(returnAddress);
  }

  address(of: ClientKind, reference: number, side: Side, target: Address): void {
    let found: Deno.NetAddr | undefined;
    if (of === "stream") {
      const connection = this.streams.get(reference)?.connection;
      found = side === "client" ? connection?.remoteAddr : connection?.localAddr;
    } else {
      const { from, to } = of === "slot" ? this.#current! : this.#kept.get(reference)!;
      found = side === "client" ? to : from.socket.addr as Deno.NetAddr;
    }
    const bytes = parseAddress(found?.hostname ?? "");
    if (bytes === null) return;
    target.family = bytes.length === 4 ? 4 : 6;
    target.bytes.set(bytes);
    target.port = found!.port;
    target.unmap();
  }

  #open({ address, port }: ListenTarget, listener: number): void {
    // The IPv6 wildcard includes IPv4; without IPv6, use IPv4.
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

  #listenTcp(socket: Deno.DatagramConn, listener: number): Deno.TcpListener {
    const { hostname, port } = socket.addr as Deno.NetAddr;
    try {
      return this.streams.listen(hostname, port, listener);
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
      let bytes: Uint8Array;
      let to: Deno.Addr;
      try {
        [bytes, to] = await from.socket.receive(buffer);
      } catch {
        // A refused reply fails the next receive.
        continue;
      }
      if (from.retired) return;
      this.#query.bytes.set(bytes);
      this.#current = { from, to: to as Deno.NetAddr };
      this.run(() => this.#answer(from.listener, bytes.length));
      this.#current = null;
    }
  }

  #answer(listener: number, length: number): void {
    const size = this.engine.datagram(listener, 0, this.#query, 0, length, this.#response, 0);
    if (size > 0) this.#send(this.#current!, this.#response.bytes.slice(0, size));
  }

  #send({ from, to }: Client, bytes: Uint8Array): void {
    from.socket.send(bytes, to).catch(() => {
      this.engine.values[COUNTER.SENDS_LOST]!++;
    });
  }
}

/** The datagram socket still answers. */
function retire(from: Listening): void {
  if (from.retired) return;
  from.retired = true;
  from.tcp.close();
}
