import type { Memory } from "../memory.ts";

/**
 * Where a query came from and its response goes. Kind and id are those of `Io.address`.
 *
 * ```
 *             parked                answered
 *   slot     ───────► kept ──────────────────► (sent, or forgotten)
 *   stream   ───────► stream ────────────────► (written, unless the client has gone)
 *   internal ──────── internal ──────────────► (rises to the handler that asked)
 * ```
 *
 * None is allocated per query: the engine has one for the receive slot, each exchange one for a kept
 * address, and a connection is its own.
 */
export type Origin = DatagramOrigin | StreamOrigin | { readonly kind: "internal" };

/** A datagram in the driver's receive slot, or whose return address the driver keeps. */
export interface DatagramOrigin {
  readonly kind: "slot" | "kept";
  id: number;
}

/** A client's connection. */
export interface StreamOrigin {
  readonly kind: "stream";
  readonly id: number;
  readonly listener: number;
  readonly family: 4 | 6;
  outstanding: number;
  readonly gone: boolean;
  /** Sends a response that had to wait, with its two octets of length. */
  answer(memory: Memory, offset: number, length: number): void;
  /** Resumes reading, or closes, depending on the stream's state. */
  update(): void;
}

/** The origin of all internal queries. */
export const INTERNAL: Origin = { kind: "internal" };
