import type { Memory } from "../memory.ts";

/**
 * Source of a query and destination of its response. Kind and id are those of `Io.address`.
 *
 * ```
 *             parked                answered
 *   slot     ───────► kept ──────────────────► (sent, or forgotten)
 *   stream   ───────► stream ────────────────► (written, unless the client has gone)
 *   internal ──────── internal ──────────────► (rises to the handler that asked)
 * ```
 *
 * None is allocated per query: the engine has one for the slot, each exchange one for a kept
 * address; connections are origins.
 */
export type Origin = DatagramOrigin | StreamOrigin | { readonly kind: "internal" };

/** A datagram in a receive slot, or with a kept return address. */
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
  /** Sends a later response, prefixed with its length. */
  answer(memory: Memory, offset: number, length: number): void;
  /** Resumes reading, or closes. */
  update(): void;
}

/** The origin of all internal queries. */
export const INTERNAL: Origin = { kind: "internal" };
