import type { Clock } from "../../../base/clock.ts";
import type { ByteBudget } from "./byte_budget.ts";
import type { CredentialFiles } from "./files.ts";
import type { Refusals } from "./refusals.ts";

/**
 * Why this side closed or refused a connection: it held most when the budget was exhausted, broke
 * HTTP/2, flooded with empty frames, sent unsolicited answers, or its server is avoided after one
 * of these.
 */
export const TLS_CLOSE_REASONS = ["budget", "protocol", "flood", "unasked", "refused"] as const;
/** One of `TLS_CLOSE_REASONS`. */
export type TlsCloseReason = (typeof TLS_CLOSE_REASONS)[number];

/** Shared by all encrypted streams. */
export interface TlsContext {
  readonly clock: Clock;
  readonly budget: ByteBudget;
  readonly files: CredentialFiles;
  readonly refusals: Refusals;
  /** Limit for reading the files and both handshakes together. */
  readonly handshakeMs: number;
  count(reason: TlsCloseReason): void;
  /** These bytes were allocated outside V8's heap and will soon be garbage. */
  allocated(sizeBytes: number): void;
}
