import type { Dispenser } from "./dispenser.ts";
import { formatDuration, parseDuration } from "./durations.ts";
import { quote } from "./quote.ts";

/** Bounds of a number, and its name in messages. */
export interface Bounds {
  readonly name: string;
  readonly min: number;
  readonly max: number;
}

/** Longest duration: 24 days, which fits a 31-bit timer. */
export const MAX_DURATION_MS = 2_073_600_000;

/** Reads a duration in milliseconds. Throws `CorefileError`. */
export function readDuration(tokens: Dispenser, text: string, bounds: Bounds): number {
  const { name, min, max } = bounds;
  const value = parseDuration(text);
  if (value === null) {
    throw tokens.error(`${name}: ${quote(text)} is not a duration (write 30s, 1m30s or 500ms)`);
  }
  if (value < min || value > max) {
    const range = `${formatDuration(min)} to ${formatDuration(max)}`;
    throw tokens.error(`${name}: ${quote(text)} is out of range (${range})`);
  }
  return value;
}

/** Reads a bounded integer. Throws `CorefileError`. */
export function readInteger(tokens: Dispenser, text: string, bounds: Bounds): number {
  const { name, min, max } = bounds;
  if (!/^[+-]?[0-9]+$/.test(text)) {
    throw tokens.error(`${name}: ${quote(text)} is not a whole number (${min} to ${max})`);
  }
  const value = Number(text);
  if (value < min || value > max) {
    throw tokens.error(`${name}: ${quote(text)} is out of range (${min} to ${max})`);
  }
  // Turns -0 into 0.
  return value + 0;
}
