import { HEADER_SIZE } from "../../dns/constants.ts";
import type { Memory } from "../../engine/memory.ts";
import type { DatagramHandler, Endpoint, Io } from "../../io/contract.ts";
import { MATCH, type Outgoing, type TransportFailure } from "./outgoing.ts";

/** Wrong replies to one query after which it is no longer asked over UDP. */
const MAX_MISMATCHES = 3;

/** Called for each datagram that is no answer; returns true to give UDP up for this query. */
export type OnMismatch = (misspelt: boolean) => boolean;

/**
 * One query over UDP: a socket with a fresh random port, a fresh random id, and the reply bound to
 * socket, id and question. Any other datagram is counted and dropped, and the wait goes on.
 */
export class UdpQuery implements DatagramHandler {
  readonly #query: Outgoing;
  readonly #io: Io;
  readonly #random: () => number;
  #socket = -1;
  #id = 0;
  #mismatches = 0;
  #onMismatch: OnMismatch = () => false;

  constructor(query: Outgoing, io: Io, random: () => number) {
    this.#query = query;
    this.#io = io;
    this.#random = random;
  }

  /** Sends the query; returns null, or why it could not be sent. */
  send(endpoint: Endpoint, onMismatch: OnMismatch): TransportFailure | null {
    const { packet, length } = this.#query;
    this.#mismatches = 0;
    this.#onMismatch = onMismatch;
    this.#id = this.#random() & 0xffff;
    packet.view.setUint16(0, this.#id);
    this.#socket = this.#io.open(endpoint, this);
    if (this.#socket < 0) return NO_SOCKET;
    if (this.#io.send(this.#socket, packet, 0, length)) return null;
    this.cancel();
    return CANNOT_SEND;
  }

  /** Gives the socket back; nothing more is told of the query. */
  cancel(): void {
    if (this.#socket < 0) return;
    this.#io.release(this.#socket);
    this.#socket = -1;
  }

  /** The reply that has just been told of is not the server's: counts it and waits on. */
  mismatched(misspelt = false): void {
    const givesUp = this.#onMismatch(misspelt);
    if (++this.#mismatches < MAX_MISMATCHES && !givesUp) return;
    this.cancel();
    this.#query.handler.failed(misspelt ? MISSPELT : FORGED);
  }

  reply(memory: Memory, length: number): void {
    const match = length < HEADER_SIZE || memory.view.getUint16(0) !== this.#id
      ? MATCH.OTHER
      : this.#query.compare(memory, length);
    if (match === MATCH.ANSWER) this.#query.handler.replied(memory, length);
    else this.mismatched(match === MATCH.MISSPELT);
  }

  failed(): void {
    this.cancel();
    this.#query.handler.failed(REFUSED);
  }
}

const NO_SOCKET: TransportFailure = { kind: "exhausted", why: "no free port or descriptor" };
const CANNOT_SEND: TransportFailure = { kind: "refused", why: "cannot send" };
const REFUSED: TransportFailure = { kind: "refused", why: "connection refused" };
const FORGED: TransportFailure = { kind: "forged", why: "wrong replies over UDP" };
const MISSPELT: TransportFailure = { kind: "misspelt", why: "the question came back misspelt" };
