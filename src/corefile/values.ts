import type { Dispenser } from "./dispenser.ts";
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

const UNITS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  "µs": 1e-3,
  "μs": 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

/** Bounds the work of the patterns. */
const MAX_LENGTH = 64;
/** Go counts nanoseconds in 63 bits. */
const MAX_MS = 2 ** 63 / 1e6;

/** Milliseconds of a Go duration (`300ms`, `2h45m`) or a number of seconds; otherwise null. */
export function parseDuration(text: string): number | null {
  if (text.length > MAX_LENGTH) return null;
  const rest = text.replace(/^[+-]/, "").replace(/^[\d.]+$/, "$&s");
  if (!/^(?:(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+$/.test(rest)) return null;
  let total = 0;
  for (const [, number, unit] of rest.matchAll(/([\d.]+)(\D+)/g)) {
    total += Number(number) * UNITS[unit!]!;
  }
  if (total >= MAX_MS) return null;
  return text.startsWith("-") && total !== 0 ? -total : total;
}

/** Formats a duration: `5m`, `1h30m`, `500ms`. */
export function formatDuration(ms: number): string {
  if (ms < 0) return `-${formatDuration(-ms)}`;
  if (ms === 0) return "0s";
  if (ms < 1000) return `${ms}ms`;
  const hours = Math.floor(ms / 3_600_000);
  const minutes = Math.floor(ms / 60_000) % 60;
  const seconds = (ms % 60_000) / 1000;
  return (hours > 0 ? `${hours}h` : "") + (minutes > 0 ? `${minutes}m` : "") +
    (seconds > 0 ? `${seconds}s` : "");
}
