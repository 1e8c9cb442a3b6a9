import type { Clock } from "../../../base/clock.ts";
import type { ByteBudget } from "./byte_budget.ts";
import type { CredentialFiles } from "./files.ts";
import type { Refusals } from "./refusals.ts";

/** Why this side closed. "flood": empty frames; "refused": after another reason. */
export const TLS_CLOSE_REASONS = ["budget", "protocol", "flood", "unasked", "refused"] as const;
/** One of `TLS_CLOSE_REASONS`. */
export type TlsCloseReason = (typeof TLS_CLOSE_REASONS)[number];

/** State of all encrypted streams. */
export interface TlsContext {
  readonly clock: Clock;
  readonly budget: ByteBudget;
  readonly files: CredentialFiles;
  readonly refusals: Refusals;
  readonly handshakeMs: number;
  count(reason: TlsCloseReason): void;
  /** Outside V8's heap, soon garbage. */
  allocated(sizeBytes: number): void;
}
