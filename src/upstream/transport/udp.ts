import type { EngineServices } from "../../engine/handler.ts";
import { type DatagramHandler, type Endpoint, NO_SOCKET } from "../../engine/io.ts";
import type { Memory } from "../../engine/memory.ts";
import type { Timer } from "../../engine/timers.ts";
import { FAILURE, MATCH, type Outgoing, type TransportFailure } from "./outgoing.ts";

const MAX_MISMATCHES = 3;
/** Sockets are also released elsewhere. */
const RETRY_MS = 5;
/** Before trying something else. */
const PATIENCE_MS = 20;

interface UdpOptions {
  /** Without it, queries fail at once. */
  queue?: SocketQueue;
  /** True to give up UDP. */
  onMismatch?: (misspelt: boolean) => boolean;
}

/** Has a random port and id; replies must match both and the question, or are dropped. */
export class UdpQuery implements DatagramHandler {
  readonly #query: Outgoing;
  readonly #engine: EngineServices;
  readonly #options: UdpOptions;
  #endpoint: Endpoint | null = null;
  #state: "idle" | "queued" | "sent" = "idle";
  #socket = -1;
  #id = 0;
  #mismatches = 0;

  constructor(query: Outgoing, engine: EngineServices, options: UdpOptions = {}) {
    this.#query = query;
    this.#engine = engine;
    this.#options = options;
  }

  get queued(): boolean {
    return this.#state === "queued";
  }

  send(endpoint: Endpoint): TransportFailure | null {
    const { queue } = this.#options;
    this.#endpoint = endpoint;
    this.#mismatches = 0;
    const failure = queue !== undefined && queue.size > 0 ? FAILURE.NO_SOCKET : this.#open();
    if (failure !== FAILURE.NO_SOCKET || queue === undefined) return failure;
    this.#state = "queued";
    queue.add(this);
    return null;
  }

  /** Waits without limit, after "exhausted". */
  queueAgain(): void {
    this.#state = "queued";
    this.#options.queue!.add(this, true);
  }

  cancel(): void {
    const { queue } = this.#options;
    if (this.#state === "queued") queue!.delete(this);
    if (this.#state === "sent") {
      this.#engine.io.release(this.#socket);
      queue?.freed();
    }
    this.#state = "idle";
  }

  mismatched(misspelt = false): void {
    const givesUp = this.#options.onMismatch?.(misspelt) ?? false;
    if (++this.#mismatches < MAX_MISMATCHES && !givesUp) return;
    this.#fail(misspelt ? FAILURE.MISSPELT : FAILURE.FORGED);
  }

  reply(memory: Memory, length: number): void {
    const isOurs = memory.view.getUint16(0) === this.#id;
    const match = isOurs ? this.#query.compare(memory, length) : MATCH.OTHER;
    if (match === MATCH.ANSWER) this.#query.handler.replied(memory, length);
    else this.mismatched(match === MATCH.MISSPELT);
  }

  failed(): void {
    this.#fail(FAILURE.REFUSED);
  }

  /** False without a socket. */
  sendNow(): boolean {
    const failure = this.#open();
    if (failure === FAILURE.NO_SOCKET) return false;
    this.#options.queue!.delete(this);
    if (failure !== null) this.#fail(failure);
    return true;
  }

  giveUp(): void {
    this.#fail(FAILURE.NO_SOCKET);
  }

  #open(): TransportFailure | null {
    const { io, random, nowMs } = this.#engine;
    const { packet, length } = this.#query;
    const socket = io.open(this.#endpoint!, this);
    if (socket < 0) return socket === NO_SOCKET ? FAILURE.NO_SOCKET : FAILURE.CANNOT_SEND;
    this.#id = random() & 0xffff;
    packet.view.setUint16(0, this.#id);
    if (!io.send(socket, packet, 0, length)) {
      io.release(socket);
      return FAILURE.CANNOT_SEND;
    }
    this.#socket = socket;
    this.#state = "sent";
    this.#query.sentMs = nowMs;
    return null;
  }

  #fail(failure: TransportFailure): void {
    this.cancel();
    this.#query.handler.failed(failure);
  }
}

/** Queries waiting for a socket, in order. Callers enforce deadlines. */
export class SocketQueue {
  readonly #waiting = new Map<UdpQuery, number>();
  /** Gave up once; first. */
  readonly #stuck = new Set<UdpQuery>();
  readonly #engine: EngineServices;
  readonly #timer: Timer;
  readonly #waits: number;
  readonly #fallbacks: number;

  constructor(engine: EngineServices, labels: Readonly<Record<string, string>>) {
    this.#engine = engine;
    this.#timer = engine.timers.create((nowMs) => this.#serve(nowMs));
    this.#waits = engine.counter("nodens_forward_socket_waits_total", labels);
    this.#fallbacks = engine.counter("nodens_forward_socket_fallbacks_total", labels);
  }

  get size(): number {
    return this.#waiting.size + this.#stuck.size;
  }

  add(query: UdpQuery, stuck = false): void {
    const { values, nowMs } = this.#engine;
    if (stuck) this.#stuck.add(query);
    else this.#waiting.set(query, nowMs);
    if (!stuck) values[this.#waits]!++;
    this.#arm(nowMs + RETRY_MS);
  }

  delete(query: UdpQuery): void {
    this.#waiting.delete(query);
    this.#stuck.delete(query);
  }

  /** At the loop turn's end. */
  freed(): void {
    if (this.size > 0) this.#arm(this.#engine.nowMs);
  }

  #arm(dueMs: number): void {
    if (this.#timer.index >= 0 && this.#timer.dueMs <= dueMs) return;
    this.#engine.timers.set(this.#timer, dueMs);
  }

  #serve(nowMs: number): void {
    if (sendAll(this.#stuck) && sendAll(this.#waiting.keys())) return;
    for (const [query, sinceMs] of this.#waiting) {
      if (sinceMs + PATIENCE_MS > nowMs) break;
      this.#waiting.delete(query);
      this.#engine.values[this.#fallbacks]!++;
      query.giveUp();
    }
    if (this.size > 0) this.#arm(nowMs + RETRY_MS);
  }
}

function sendAll(queries: Iterable<UdpQuery>): boolean {
  for (const query of queries) if (!query.sendNow()) return false;
  return true;
}
