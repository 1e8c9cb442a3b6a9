import type { Address } from "../../dns/address.ts";
import type { Memory } from "../memory.ts";

/**
 * Source of a query and destination of its response. Kind and id are those of `Io.address`.
 *
 * ```
 *             parked                answered
 *   slot     ───────► kept ──────────────────► (sent, or forgotten)
 *   stream   ───────► stream ────────────────► (written, unless the client has gone)
 *   internal ──────── internal ──────────────► (rises to the handler that asked)
 *   asked    ──────── asked ─────────────────► (shown to the operator)
 * ```
 *
 * Never allocated per query: the engine has one for the slot, each exchange one for a kept address.
 */
export type Origin = DatagramOrigin | StreamOrigin | AskedOrigin | { readonly kind: "internal" };

/** In a receive slot, or with a kept return address. */
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
  /** Sends a later response. */
  answer(memory: Memory, offset: number, length: number): void;
  /** Resumes reading, or closes. */
  update(): void;
}

/** An operator, as if a client. */
export interface AskedOrigin {
  readonly kind: "asked";
  readonly streamed: boolean;
  readonly client: Address;
  readonly local: Address;
  /** Null: no message is sent. */
  ended(query: EndedQuery, message: Uint8Array<ArrayBuffer> | null): void;
}

/** Result of a query. */
export interface EndedQuery {
  readonly answeredBy: number;
  readonly response: { readonly cached: boolean } | null;
  readonly stale: boolean;
  readonly upstream: string;
  readonly asks: number;
  readonly hedged: boolean;
  readonly error: string;
}

/** The origin of all internal queries. */
export const INTERNAL: Origin = { kind: "internal" };
