import type { Dispenser } from "./dispenser.ts";
import { formatDuration, parseDuration } from "./durations.ts";
import { quote } from "./quote.ts";

/** A number in a Corefile: what messages call it, and its bounds. */
export interface Bounds {
  readonly name: string;
  readonly min: number;
  readonly max: number;
}

/** Longest duration taken, in milliseconds: 24 days, which a timer of 31 bits can still wait. */
export const MAX_DURATION_MS = 2_073_600_000;

/** Duration in milliseconds within bounds (also milliseconds). Throws `CorefileError`. */
export function readDuration(tokens: Dispenser, text: string, bounds: Bounds): number {
  const { name, min, max } = bounds;
  const value = parseDuration(text);
  if (value === null) {
    throw tokens.error(`${name}: ${quote(text)} is no duration (write 30s, 1m30s or 500ms)`);
  }
  if (value < min || value > max) {
    const range = `${formatDuration(min)} to ${formatDuration(max)}`;
    throw tokens.error(`${name}: ${quote(text)} is out of range (${range})`);
  }
  return value;
}

/** Whole number within bounds. Throws `CorefileError`. */
export function readInteger(tokens: Dispenser, text: string, bounds: Bounds): number {
  const { name, min, max } = bounds;
  if (!/^[+-]?[0-9]+$/.test(text)) {
    throw tokens.error(`${name}: ${quote(text)} is no whole number (${min} to ${max})`);
  }
  const value = Number(text);
  if (value < min || value > max) {
    throw tokens.error(`${name}: ${quote(text)} is out of range (${min} to ${max})`);
  }
  // "-0" is zero.
  return value + 0;
}
