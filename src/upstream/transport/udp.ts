import { HEADER_SIZE } from "../../dns/constants.ts";
import type { EngineServices } from "../../engine/handler.ts";
import type { Memory } from "../../engine/memory.ts";
import { type DatagramHandler, type Endpoint, NO_SOCKET } from "../../engine/io.ts";
import { MATCH, type Outgoing, type TransportFailure } from "./outgoing.ts";
import type { SocketQueue, SocketWaiter } from "./socket_queue.ts";

/** Wrong replies to one query after which UDP is given up for it. */
const MAX_MISMATCHES = 3;

/** Called for each datagram that does not answer; returns true to give UDP up for this query. */
export type OnMismatch = (misspelt: boolean) => boolean;

/** What queries over UDP are sent with. */
export interface UdpOptions {
  engine: Pick<EngineServices, "io" | "random" | "nowMs">;
  /** Where queries wait for a socket; without it they fail as "exhausted" at once. */
  queue: SocketQueue | null;
  onMismatch: OnMismatch;
}

/**
 * One query over UDP: a socket with a fresh random port, a fresh random id, and the reply bound to
 * socket, id and question. Any other datagram is counted and dropped, and the wait goes on.
 */
export class UdpQuery implements DatagramHandler, SocketWaiter {
  readonly #query: Outgoing;
  readonly #options: UdpOptions;
  #endpoint: Endpoint | null = null;
  #state: "idle" | "queued" | "sent" = "idle";
  #socket = -1;
  #id = 0;
  #mismatches = 0;

  constructor(query: Outgoing, options: UdpOptions) {
    this.#query = query;
    this.#options = options;
  }

  /** It has not been sent yet, for want of a socket. */
  get waits(): boolean {
    return this.#state === "queued";
  }

  /** Sends the query, now or as soon as there is a socket; returns why it cannot be sent, or null. */
  send(endpoint: Endpoint): TransportFailure | null {
    const { queue } = this.#options;
    this.#endpoint = endpoint;
    this.#mismatches = 0;
    // Those that wait already come first.
    const failure = queue !== null && queue.size > 0 ? SHORT : this.#open();
    if (failure !== SHORT || queue === null) return failure;
    this.#state = "queued";
    queue.add(this);
    return null;
  }

  /** Waits for a socket again, for as long as it takes, after `exhausted`. */
  waitOn(): void {
    this.#state = "queued";
    this.#options.queue!.putBack(this);
  }

  /** Releases the socket; the query gets no further call. */
  cancel(): void {
    const { queue, engine } = this.#options;
    if (this.#state === "queued") queue!.delete(this);
    if (this.#state === "sent") {
      engine.io.release(this.#socket);
      queue?.freed();
    }
    this.#state = "idle";
  }

  /** The reply that has just been told of is not the server's: counts it and waits on. */
  mismatched(misspelt = false): void {
    const givesUp = this.#options.onMismatch(misspelt);
    if (++this.#mismatches < MAX_MISMATCHES && !givesUp) return;
    this.#fail(misspelt ? MISSPELT : FORGED);
  }

  reply(memory: Memory, length: number): void {
    const match = length < HEADER_SIZE || memory.view.getUint16(0) !== this.#id
      ? MATCH.OTHER
      : this.#query.compare(memory, length);
    if (match === MATCH.ANSWER) this.#query.handler.replied(memory, length);
    else this.mismatched(match === MATCH.MISSPELT);
  }

  failed(): void {
    this.#fail(REFUSED);
  }

  sendNow(): boolean {
    const failure = this.#open();
    if (failure === SHORT) return false;
    this.#options.queue!.delete(this);
    if (failure !== null) this.#fail(failure);
    return true;
  }

  giveUp(): void {
    this.#fail(SHORT);
  }

  #open(): TransportFailure | null {
    const { io, random, nowMs } = this.#options.engine;
    const { packet, length } = this.#query;
    const socket = io.open(this.#endpoint!, this);
    if (socket < 0) return socket === NO_SOCKET ? SHORT : CANNOT_SEND;
    this.#id = random() & 0xffff;
    packet.view.setUint16(0, this.#id);
    if (!io.send(socket, packet, 0, length)) {
      io.release(socket);
      return CANNOT_SEND;
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

const SHORT: TransportFailure = { kind: "exhausted", why: "no port or file descriptor is free" };
const CANNOT_SEND: TransportFailure = { kind: "refused", why: "cannot send" };
const REFUSED: TransportFailure = { kind: "refused", why: "connection refused" };
const FORGED: TransportFailure = { kind: "forged", why: "wrong replies over UDP" };
const MISSPELT: TransportFailure = { kind: "misspelt", why: "the question came back misspelt" };
