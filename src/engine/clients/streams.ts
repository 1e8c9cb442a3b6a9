import type { Config, StreamTimeouts } from "../../config/types.ts";
import { Address } from "../../dns/address.ts";
import { COUNTER } from "../counters.ts";
import { ClientStream, type StreamOwner, type StreamServices } from "./stream.ts";
import { StreamClient } from "./stream_client.ts";
import {
  ASSURED_SHARE,
  CLOSE_REASONS,
  type CloseReason,
  QUANTUM,
  ROUND_QUANTUM,
  STREAM_LIMITS,
  type StreamLimits,
} from "./stream_limits.ts";

const SURE_TURNS = Math.floor(ROUND_QUANTUM / QUANTUM);
const TRIM_TO = 7 / 8;

type Client = StreamClient<ClientStream>;

/**
 * Admission, scheduling and memory of clients' streams.
 *
 * If a client (IPv4 address, IPv6 /64) has as many connections as are free, its next one closes
 * the largest client's longest idle one: one gets half of all, two a third each (dynamic
 * thresholds, Choudhury and Hahne, 1998). Bytes are shared alike.
 */
export class ClientStreams implements StreamOwner {
  size = 0;
  bytes = 0;

  readonly #services: StreamServices;
  readonly #clients = new Map<string, Client>();
  readonly #address = new Address();
  readonly #closed: ReadonlyMap<CloseReason, number>;
  readonly #openGauge: number;
  readonly #bytesGauge: number;
  readonly #options: Partial<StreamLimits>;
  #limits: StreamLimits = STREAM_LIMITS;
  /** By listener. */
  #timeouts: StreamTimeouts[] = [];
  #enforcing = false;

  #firstWaiting: ClientStream | null = null;
  #lastWaiting: ClientStream | null = null;
  /** Since the last round, or at least `SURE_TURNS`. */
  #waitingCount = 0;
  #running = false;
  #roundLeft = 0;
  #roundMs = -1;

  constructor(services: StreamServices, options: Partial<StreamLimits> = {}) {
    this.#services = services;
    this.#options = options;
    const counter = (reason: string) => services.counter("nodens_streams_closed_total", { reason });
    this.#closed = new Map(CLOSE_REASONS.map((reason) => [reason, counter(reason)]));
    this.#openGauge = services.counter("nodens_streams");
    this.#bytesGauge = services.counter("nodens_stream_bytes");
    // A restarted data plane has lost its streams.
    services.values[this.#openGauge] = 0;
    services.values[this.#bytesGauge] = 0;
  }

  get waiting(): boolean {
    return this.#firstWaiting !== null;
  }

  configure({ streamBytes: bytes = STREAM_LIMITS.bytes, listeners }: Config): void {
    this.#limits = { ...STREAM_LIMITS, bytes, ...this.#options };
    this.#timeouts = listeners.map(({ timeouts }) => timeouts ?? {});
  }

  accept(listener: number, id: number): ClientStream | null {
    const client = this.#clientOf(id);
    const left = this.#limits.streams - this.size;
    if (client.count >= left && !this.#makeRoom(client)) {
      this.#services.values[COUNTER.STREAMS_REFUSED]!++;
      return null;
    }
    this.#clients.set(client.key, client);
    const stream = new ClientStream(this.#services, this, {
      listener,
      id,
      client,
      limits: { ...this.#limits, ...this.#timeouts[listener] },
    });
    client.append(stream);
    this.#services.values[this.#openGauge] = ++this.size;
    return stream;
  }

  retire(listeners: ReadonlySet<number>): void {
    for (const one of this.#list()) if (listeners.has(one.listener)) one.retire();
  }

  /** Closes streams as they fall silent or time out. */
  drain(): void {
    for (const one of this.#list()) one.drain();
  }

  #list(): ClientStream[] {
    return [...this.#clients.values()].flatMap((client) => client.list());
  }

  runTurns(): void {
    this.#roundMs = this.#services.nowMs;
    this.#roundLeft = ROUND_QUANTUM;
    const last = this.#lastWaiting;
    this.#running = true;
    while (this.#firstWaiting !== null && this.#roundLeft > 0) {
      const stream = this.#firstWaiting;
      this.#firstWaiting = stream.nextWaiting;
      if (this.#firstWaiting === null) this.#lastWaiting = null;
      stream.nextWaiting = null;
      stream.waiting = false;
      stream.turn();
      // Later streams wait for the next round.
      if (stream === last) break;
    }
    this.#running = false;
    // The rest comes first in the next round.
    this.#waitingCount = this.#firstWaiting === null ? 0 : SURE_TURNS;
  }

  allowance(): number {
    const { nowMs } = this.#services;
    if (nowMs !== this.#roundMs) {
      this.#roundMs = nowMs;
      this.#roundLeft = ROUND_QUANTUM;
    }
    return Math.min(QUANTUM, this.#roundLeft);
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

  charge({ client }: ClientStream, bytes: number): void {
    this.bytes += bytes;
    client.bytes += bytes;
    this.#services.values[this.#bytesGauge] = this.bytes;
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
    values[this.#openGauge] = --this.size;
    if (reason !== null) values[this.#closed.get(reason)!]!++;
  }

  #clientOf(id: number): Client {
    const address = this.#address;
    this.#services.io.address("stream", id, "client", address);
    const key = clientKey(address);
    return this.#clients.get(key) ?? new StreamClient<ClientStream>(key);
  }

  #makeRoom(client: Client): boolean {
    const largest = this.#largest(client, "count");
    let victim = largest.first;
    while (victim !== null && victim.busy) victim = victim.next;
    // Spare a busy one between about equal clients.
    if (victim === null && largest.count > client.count + 1) victim = largest.first;
    victim?.close("share");
    return victim !== null;
  }

  #largest(client: Client, by: "count" | "bytes"): Client {
    let largest = client;
    for (const one of this.#clients.values()) if (one[by] > largest[by]) largest = one;
    return largest;
  }

  #enforce(client: Client): void {
    const { bytes } = this.#limits;
    const overBudget = () => this.bytes > bytes;
    while (overBudget()) trim(this.#largest(client, "bytes"), overBudget);
    const overShare = () =>
      client.bytes > bytes * ASSURED_SHARE && client.bytes > bytes - this.bytes;
    if (overShare()) trim(client, overShare);
  }
}

/** Closes the largest streams. Below the bound, so that searches stay rare. */
function trim(client: Client, exceeds: () => boolean): void {
  const streams = client.list();
  for (const stream of streams) if (stream.countsKernel) stream.measure();
  if (!exceeds()) return;
  const goal = client.bytes * TRIM_TO;
  // Stable: least recently active first.
  for (const stream of streams.sort((a, b) => b.bytes - a.bytes)) {
    if (stream.bytes === 0 || (client.bytes <= goal && !exceeds())) return;
    stream.close("budget");
  }
}

/** IPv4 address or IPv6 /64 (RFC 4291 section 2.5.4). */
function clientKey({ family, bytes }: Address): string {
  const word = (at: number) =>
    ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
  // V8 hashes numeric strings without a seed.
  return `${family}:${word(0)}:${family === 4 ? 0 : word(4)}`;
}
