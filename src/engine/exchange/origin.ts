import type { Address } from "../../dns/address.ts";
import type { Io } from "../io.ts";
import type { Memory } from "../memory.ts";

/**
 * Where a query came from and its response goes.
 *
 * ```
 *             parked                answered
 *   datagram ───────► kept ──────────────────► (sent, or forgotten)
 *   stream   ───────► stream ────────────────► (written, unless the client has gone)
 *   internal ──────── internal ──────────────► (rises to the handler that asked)
 * ```
 *
 * None is allocated per query: the engine has one for the receive slot, each exchange one for a kept
 * address, and a connection is its own.
 */
export type Origin = SlotOrigin | KeptOrigin | StreamOrigin | InternalOrigin;

/** A datagram in the driver's receive slot of this number. */
export interface SlotOrigin {
  readonly kind: "datagram";
  slot: number;
}

/** A datagram whose return address the driver keeps under this number. */
export interface KeptOrigin {
  readonly kind: "kept";
  address: number;
}

/** A client's connection. */
export interface StreamOrigin {
  readonly kind: "stream";
  /** The driver's number. */
  readonly id: number;
  readonly listener: number;
  readonly family: 4 | 6;
  /** Queries that wait for an upstream. */
  outstanding: number;
  readonly gone: boolean;
  /** Sends a response that had to wait, with its two octets of length. */
  answer(memory: Memory, offset: number, length: number): void;
  /** Resumes reading, or closes, depending on the stream's state. */
  update(): void;
}

/** A query of nodens itself. */
export interface InternalOrigin {
  readonly kind: "internal";
}

/** The origin of all internal queries. */
export const INTERNAL: InternalOrigin = { kind: "internal" };

/** Family of the client's address. */
/** Family of the client's address. */
export function clientFamily(io: Io, origin: Origin): 4 | 6 {
  if (origin.kind === "datagram") return io.family("slot", origin.slot);
  if (origin.kind === "kept") return io.family("kept", origin.address);
  return origin.kind === "stream" ? origin.family : 4;
}

/** Reads the client's address, or the address that it asked; nothing for an internal query. */
export function readAddress(
  io: Io,
  origin: Origin,
  side: "client" | "local",
  target: Address,
): void {
  if (origin.kind === "datagram") io.address("slot", origin.slot, side, target);
  else if (origin.kind === "kept") io.address("kept", origin.address, side, target);
  else if (origin.kind === "stream") io.address("stream", origin.id, side, target);
}
