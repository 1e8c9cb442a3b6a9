import { HEADER_SIZE } from "../../dns/constants.ts";
import type { EngineServices } from "../../engine/handler.ts";
import { type DatagramHandler, type Endpoint, NO_SOCKET } from "../../engine/io.ts";
import type { Memory } from "../../engine/memory.ts";
import { FAILURE, MATCH, type Outgoing, type TransportFailure } from "./outgoing.ts";
import type { SocketQueue, SocketWaiter } from "./socket_queue.ts";

/** Wrong replies after which a query gives UDP up. */
const MAX_MISMATCHES = 3;

/** Options of queries over UDP. */
export interface UdpOptions {
  /** Where to wait for a socket; without it, queries fail as "exhausted" at once. */
  queue?: SocketQueue;
  /** Called for each wrong reply; returns true if the query should give UDP up. */
  onMismatch?: (misspelt: boolean) => boolean;
}

/**
 * One query over UDP: a socket with a fresh random port, a fresh random id, and a reply that must
 * match socket, id and question. Other datagrams are counted and dropped.
 */
export class UdpQuery implements DatagramHandler, SocketWaiter {
  readonly #query: Outgoing;
  readonly #engine: EngineServices;
  readonly #queue: SocketQueue | null;
  readonly #onMismatch: (misspelt: boolean) => boolean;
  #endpoint: Endpoint | null = null;
  #state: "idle" | "queued" | "sent" = "idle";
  #socket = -1;
  #id = 0;
  #mismatches = 0;

  constructor(query: Outgoing, engine: EngineServices, options: UdpOptions = {}) {
    this.#query = query;
    this.#engine = engine;
    this.#queue = options.queue ?? null;
    this.#onMismatch = options.onMismatch ?? (() => false);
  }

  /** Waiting for a socket. */
  get queued(): boolean {
    return this.#state === "queued";
  }

  /** Sends the query, now or once there is a socket; returns why it cannot, or null. */
  send(endpoint: Endpoint): TransportFailure | null {
    const queue = this.#queue;
    this.#endpoint = endpoint;
    this.#mismatches = 0;
    const failure = queue !== null && queue.size > 0 ? FAILURE.NO_SOCKET : this.#open();
    if (failure !== FAILURE.NO_SOCKET || queue === null) return failure;
    this.#state = "queued";
    queue.add(this);
    return null;
  }

  /** After "exhausted": waits for a socket as long as it takes. */
  queueAgain(): void {
    this.#state = "queued";
    this.#queue!.putBack(this);
  }

  /** Releases the socket; the query's handler is not called any more. */
  cancel(): void {
    if (this.#state === "queued") this.#queue!.delete(this);
    if (this.#state === "sent") {
      this.#engine.io.release(this.#socket);
      this.#queue?.freed();
    }
    this.#state = "idle";
  }

  /** Counts the last reply as wrong: it is not from the server. */
  mismatched(misspelt = false): void {
    const givesUp = this.#onMismatch(misspelt);
    if (++this.#mismatches < MAX_MISMATCHES && !givesUp) return;
    this.#fail(misspelt ? FAILURE.MISSPELT : FAILURE.FORGED);
  }

  reply(memory: Memory, length: number): void {
    const match = length < HEADER_SIZE || memory.view.getUint16(0) !== this.#id
      ? MATCH.OTHER
      : this.#query.compare(memory, length);
    if (match === MATCH.ANSWER) this.#query.handler.replied(memory, length);
    else this.mismatched(match === MATCH.MISSPELT);
  }

  failed(): void {
    this.#fail(FAILURE.REFUSED);
  }

  sendNow(): boolean {
    const failure = this.#open();
    if (failure === FAILURE.NO_SOCKET) return false;
    this.#queue!.delete(this);
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
