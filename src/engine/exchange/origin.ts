import type { Memory } from "../memory.ts";

/**
 * Where a query came from, and so where its response goes.
 *
 * ```
 *             parked                answered
 *   datagram ───────► kept ──────────────────► (sent, or forgotten)
 *   stream   ───────► stream ────────────────► (written, unless the client has gone)
 *   internal ──────── internal ──────────────► (rises to the handler that asked)
 * ```
 *
 * None of these objects is made for a query: the engine has one for the receive slot, each exchange
 * one for a kept address, and a connection is its own.
 */
export type Origin = SlotOrigin | KeptOrigin | StreamOrigin | InternalOrigin;

/** A datagram that still lies in the driver's receive slot of this number. */
export interface SlotOrigin {
  readonly kind: "datagram";
  slot: number;
}

/** A datagram whose return address the driver keeps under this number. */
export interface KeptOrigin {
  readonly kind: "kept";
  address: number;
}

/** A client's connection, as far as its queries need it. */
export interface StreamOrigin {
  readonly kind: "stream";
  /** The driver's number. */
  readonly id: number;
  readonly listener: number;
  /** Family of the client's address. */
  readonly family: 4 | 6;
  /** Queries that wait for an upstream. */
  outstanding: number;
  /** Closed, by whichever side. */
  readonly gone: boolean;
  /** Sends a response that had to wait; two octets of length stand before it. */
  answer(memory: Memory, offset: number, length: number): void;
  /** Goes on reading, or closes, as the stream's state asks. */
  update(): void;
}

/** A query of nodens' own. */
export interface InternalOrigin {
  readonly kind: "internal";
}

/** The origin of all queries of nodens' own. */
export const INTERNAL: InternalOrigin = { kind: "internal" };
