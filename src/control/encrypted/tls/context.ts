import type { ByteBudget } from "./byte_budget.ts";
import type { CredentialFiles } from "./files.ts";
import type { Refusals } from "./refusals.ts";

/**
 * Why a connection was closed from this side or not even tried, as the metric says it: it held most
 * when the budget was used up, it broke HTTP/2, it sent frames that carry nothing, or answers to
 * nothing, or its server is left alone for a while for one of these or for a certificate.
 */
export const TLS_CLOSE_REASONS = ["budget", "protocol", "flood", "unasked", "refused"] as const;
/** One of `TLS_CLOSE_REASONS`. */
export type TlsCloseReason = (typeof TLS_CLOSE_REASONS)[number];

/** What all encrypted streams share. */
export interface TlsContext {
  readonly budget: ByteBudget;
  readonly files: CredentialFiles;
  readonly refusals: Refusals;
  /** Time for reading the files and for the TCP and TLS handshakes together. */
  readonly handshakeMs: number;
  count(reason: TlsCloseReason): void;
  /** So many bytes were allocated outside of V8's heap, and will soon be garbage. */
  allocated(sizeBytes: number): void;
}
