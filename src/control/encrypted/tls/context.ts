import type { Clock } from "../../../base/clock.ts";
import type { ByteBudget } from "./byte_budget.ts";
import type { CredentialFiles } from "./files.ts";
import type { Refusals } from "./refusals.ts";

/** Why this side refused a connection. "flood": empty frames; "refused": after another reason. */
export const TLS_CLOSE_REASONS = ["budget", "protocol", "flood", "unasked", "refused"] as const;
/** One of `TLS_CLOSE_REASONS`. */
export type TlsCloseReason = (typeof TLS_CLOSE_REASONS)[number];

/** Shared state of all encrypted streams. */
export interface TlsContext {
  readonly clock: Clock;
  readonly budget: ByteBudget;
  readonly files: CredentialFiles;
  readonly refusals: Refusals;
  readonly handshakeMs: number;
  count(reason: TlsCloseReason): void;
  /** Bytes outside V8's heap that soon become garbage. */
  allocated(sizeBytes: number): void;
}
