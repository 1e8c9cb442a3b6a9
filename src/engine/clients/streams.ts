import { Address } from "../../dns/address.ts";
import { BufferPool } from "../buffer_pool.ts";
import { ClientStream, type StreamOwner, type StreamServices } from "./stream.ts";
import { COUNTER } from "../counters.ts";
import { StreamClient } from "./stream_client.ts";
import {
  ASSURED_SHARE,
  CLOSE_REASONS,
  type CloseReason,
  ROUND_COST,
  STREAM_LIMITS,
  type StreamLimits,
  TURN_COST,
} from "./stream_limits.ts";

/** Buffers that are kept for later streams: half of the smallest byte budget. */
const POOL_BYTES = 8 * 2 ** 20;
/** Turns that a round always has room for. */
const SURE_TURNS = Math.floor(ROUND_COST / TURN_COST);
/** Part of its bytes that a client which took too many is left with. */
const TRIM_TO = 7 / 8;

type Client = StreamClient<ClientStream>;

/**
 * All clients' streams: who may open one, whose turn it is, and how much memory they take.
 *
 * A client (an IPv4 address or an IPv6 network of 64 bits) that holds at least as many connections
 * as are free makes room for its next one: the longest idle connection of whoever holds most is
 * closed. So a client alone gets half of all, two get a third each, and there is always one left for
 * somebody new (dynamic thresholds, Choudhury and Hahne, 1998). The byte budget is shared in the same
 * way.
 */
export class ClientStreams implements StreamOwner {
  readonly buffers = new BufferPool(POOL_BYTES);
  readonly #services: StreamServices;
  readonly #clients = new Map<string, Client>();
  readonly #address = new Address();
  readonly #closed: Record<CloseReason, number>;
  readonly #openGauge: number;
  readonly #bytesGauge: number;
  #limits: StreamLimits = STREAM_LIMITS;
  #size = 0;
  #bytes = 0;
  #enforcing = false;

  /** Streams that wait for their turn, in order. */
  #firstWaiting: ClientStream | null = null;
  #lastWaiting: ClientStream | null = null;
  /** How many came since the last round, or `SURE_TURNS` and more. */
  #waitingCount = 0;
  /** They have their turns right now. */
  #running = false;
  /** What is left until datagrams have their turn, and the time at which that was last refilled. */
  #roundLeft = 0;
  #roundMs = -1;

  constructor(services: StreamServices) {
    this.#services = services;
    const place = (reason: CloseReason) =>
      services.counter("nodens_streams_closed_total", { reason });
    this.#closed = Object.fromEntries(CLOSE_REASONS.map((one) => [one, place(one)])) as Record<
      CloseReason,
      number
    >;
    this.#openGauge = services.counter("nodens_streams");
    this.#bytesGauge = services.counter("nodens_stream_bytes");
    // A data plane that takes the place of a dead one has none of its streams.
    services.values[this.#openGauge] = 0;
    services.values[this.#bytesGauge] = 0;
  }

  /** Open streams. */
  get size(): number {
    return this.#size;
  }

  /** Bytes of memory that the streams' buffers take. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Whether a stream waits for its turn. */
  get waiting(): boolean {
    return this.#firstWaiting !== null;
  }

  /** Sets the limits that hold for all listeners together. */
  configure(limits: Partial<StreamLimits>): void {
    this.#limits = { ...STREAM_LIMITS, ...limits };
  }

  /** Accepts a stream, or returns null if there are too many. */
  accept(
    listener: number,
    id: number,
    limits: Partial<StreamLimits>,
  ): ClientStream | null {
    const client = this.#clientOf(id);
    const left = this.#limits.streams - this.#size;
    if (client.count >= left && !this.#makeRoom(client)) {
      this.#services.values[COUNTER.STREAMS_REFUSED]!++;
      return null;
    }
    this.#clients.set(client.key, client);
    const stream = new ClientStream(this.#services, this, {
      listener,
      id,
      client,
      limits: { ...this.#limits, ...limits },
    });
    client.append(stream);
    this.#services.values[this.#openGauge] = ++this.#size;
    return stream;
  }

  /** All open streams, for loops that may close some. */
  list(): ClientStream[] {
    const streams: ClientStream[] = [];
    for (const client of this.#clients.values()) {
      for (let one = client.first; one !== null; one = one.next) streams.push(one);
    }
    return streams;
  }

  /** Gives each waiting stream a turn, until the round has cost what it may. */
  runTurns(): void {
    this.#roundMs = this.#services.nowMs;
    this.#roundLeft = ROUND_COST;
    const last = this.#lastWaiting;
    this.#running = true;
    while (this.#firstWaiting !== null && this.#roundLeft > 0) {
      const stream = this.#firstWaiting;
      this.#firstWaiting = stream.nextWaiting;
      if (this.#firstWaiting === null) this.#lastWaiting = null;
      stream.nextWaiting = null;
      stream.waiting = false;
      stream.turn();
      // Those that came meanwhile wait until datagrams have had theirs.
      if (stream === last) break;
    }
    this.#running = false;
    // Those that are left come first; how many there are does not matter then.
    this.#waitingCount = this.#firstWaiting === null ? 0 : SURE_TURNS;
  }

  allowance(): number {
    const { nowMs } = this.#services;
    if (nowMs !== this.#roundMs) {
      this.#roundMs = nowMs;
      this.#roundLeft = ROUND_COST;
    }
    return Math.min(TURN_COST, this.#roundLeft);
  }

  spend(cost: number): void {
    this.#roundLeft -= cost;
  }

  enqueue(stream: ClientStream): boolean {
    if (stream.waiting) return false;
    stream.waiting = true;
    const soon = !this.#running && ++this.#waitingCount <= SURE_TURNS;
    if (this.#lastWaiting === null) this.#firstWaiting = stream;
    else this.#lastWaiting.nextWaiting = stream;
    this.#lastWaiting = stream;
    return soon;
  }

  touch(stream: ClientStream): void {
    const { client } = stream;
    if (client.last === stream) return;
    client.remove(stream);
    client.append(stream);
  }

  charge(stream: ClientStream, bytes: number): void {
    const { client } = stream;
    this.#bytes += bytes;
    client.bytes += bytes;
    this.#services.values[this.#bytesGauge] = this.#bytes;
    if (bytes > 0 && !this.#enforcing) {
      this.#enforcing = true;
      this.#enforce(client);
      this.#enforcing = false;
    }
  }

  forget(stream: ClientStream, reason: CloseReason | null): void {
    const { client } = stream;
    const { values } = this.#services;
    client.remove(stream);
    if (client.count === 0) this.#clients.delete(client.key);
    values[this.#openGauge] = --this.#size;
    if (reason !== null) values[this.#closed[reason]]!++;
  }

  #clientOf(id: number): Client {
    const address = this.#address;
    this.#services.io.address("stream", id, "client", address);
    const key = clientKey(address);
    return this.#clients.get(key) ?? new StreamClient<ClientStream>(key);
  }

  /** Closes a connection of the client that holds most; false where none should go for `client`. */
  #makeRoom(client: Client): boolean {
    let most = client;
    for (const one of this.#clients.values()) if (one.count > most.count) most = one;
    let victim = most.first;
    while (victim !== null && victim.busy) victim = victim.next;
    // Nobody's queries are lost for a client that holds about as much.
    if (victim === null && most.count > client.count + 1) victim = most.first;
    victim?.close("share");
    return victim !== null;
  }

  /** Brings the bytes of all, and those of `client`, back within their bounds. */
  #enforce(client: Client): void {
    const { bytes } = this.#limits;
    const fullOver = () => this.#bytes > bytes;
    while (fullOver()) {
      let most = client;
      for (const one of this.#clients.values()) if (one.bytes > most.bytes) most = one;
      trim(most, fullOver);
    }
    const shareOver = () =>
      client.bytes > bytes * ASSURED_SHARE && client.bytes > bytes - this.#bytes;
    if (shareOver()) trim(client, shareOver);
  }
}

/**
 * Closes streams of a client, those that take most memory first, until it no longer takes too much
 * and has given up some more, so that not every response begins a search. Looks first whether what
 * was counted is still there.
 */
function trim(client: Client, exceeds: () => boolean): void {
  const streams: ClientStream[] = [];
  for (let stream = client.first; stream !== null; stream = stream.next) {
    if (stream.countsKernel) stream.measure();
    if (stream.bytes > 0) streams.push(stream);
  }
  if (!exceeds()) return;
  const goal = client.bytes * TRIM_TO;
  // Of equal ones that whose last activity is the longest ago goes first: the sort is stable.
  streams.sort((a, b) => b.bytes - a.bytes);
  for (const stream of streams) {
    if (client.bytes <= goal && !exceeds()) return;
    stream.close("budget");
  }
}

/** Names a client: its IPv4 address or its IPv6 network of 64 bits (RFC 4291 section 2.5.4). */
function clientKey({ family, bytes }: Address): string {
  const word = (at: number) =>
    ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
  // A text that is a number would be hashed without a seed.
  return `${family}:${word(0)}:${family === 4 ? 0 : word(4)}`;
}
