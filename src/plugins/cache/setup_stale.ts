import type { Dispenser } from "../../corefile/dispenser.ts";
import { quote } from "../../corefile/quote.ts";
import { type Bounds, MAX_DURATION_MS, readDuration } from "../../corefile/values.ts";
import type { ServeStaleOptions } from "./options.ts";

/** A year: stores count tenths of a second in 31 bits. */
const DURATION = { name: "serve_stale DURATION", min: 0, max: 365 * 86_400_000 };
const DEFAULT_DURATION_MS = 3_600_000;
const VERIFY_TIMEOUT = { name: "serve_stale VERIFY_TIMEOUT", min: 0, max: MAX_DURATION_MS };
/** RFC 2181 section 8. */
const RESPONSE_TTL = { name: "serve_stale RESPONSE_TTL", min: 0, max: 2_147_483_647_000 };
/** RFC 8767 section 5: at most five minutes. */
const FAILURE_RECHECK = { name: "serve_stale FAILURE_RECHECK", min: 0, max: 300_000 };

const SYNTAX = "[DURATION] [immediate [RESPONSE_TTL [FAILURE_RECHECK]] | " +
  "verify [VERIFY_TIMEOUT [RESPONSE_TTL [FAILURE_RECHECK]]]]";

/** Reads the arguments of `serve_stale`. */
export function readServeStale(tokens: Dispenser): ServeStaleOptions {
  const [duration, modeText = "immediate", ...rest] = tokens.remainingArgs();
  const read = (text: string | undefined, bounds: Bounds, otherwise = 0) =>
    text === undefined ? otherwise : readDuration(tokens, text, bounds);
  const durationMs = read(duration, DURATION, DEFAULT_DURATION_MS);
  const mode = modeText.toLowerCase();
  if (mode !== "immediate" && mode !== "verify") {
    throw tokens.error(`serve_stale: unknown mode ${quote(modeText)} (immediate or verify)`);
  }
  const timeout = mode === "verify" ? rest.shift() : undefined;
  const [ttl, recheck, tooMuch] = rest;
  if (tooMuch !== undefined) {
    throw tokens.error(
      `too many arguments for "serve_stale": ${quote(tooMuch)} (serve_stale ${SYNTAX})`,
    );
  }
  const verifyTimeoutMs = read(timeout, VERIFY_TIMEOUT);
  const ttlMs = read(ttl, RESPONSE_TTL);
  if (ttlMs % 1000 !== 0) {
    throw tokens.error(`${RESPONSE_TTL.name}: ${quote(ttl!)} is not a whole number of seconds`);
  }
  const failureRecheckMs = read(recheck, FAILURE_RECHECK);
  return { durationMs, mode, verifyTimeoutMs, responseTtlSeconds: ttlMs / 1000, failureRecheckMs };
}
