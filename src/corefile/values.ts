import type { Dispenser } from "./dispenser.ts";

/** Bounds of a number in a Corefile. */
export interface Bounds {
  readonly min: number;
  readonly max: number;
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

/**
 * Milliseconds of a duration as Go writes them (`300ms`, `1.5h`, `2h45m`); a bare number means
 * seconds. Null for anything else.
 */
export function parseDuration(text: string): number | null {
  if (/^[+-]?[0-9]+(\.[0-9]+)?$/.test(text)) return Number(text) * 1000;
  const match = /^([+-]?)((?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:ns|us|µs|μs|ms|s|m|h))+)$/.exec(text);
  if (match === null) return null;
  let total = 0;
  for (const [, number, unit] of match[2]!.matchAll(/([0-9.]+)(ns|us|µs|μs|ms|s|m|h)/g)) {
    total += Number(number) * UNITS[unit!]!;
  }
  return Number.isFinite(total) ? (match[1] === "-" ? -total : total) : null;
}

/** Duration in milliseconds within bounds (also milliseconds). Throws `CorefileError`. */
export function readDuration(
  tokens: Dispenser,
  text: string,
  option: { name: string } & Bounds,
): number {
  const value = parseDuration(text);
  if (value === null) {
    throw tokens.error(`${option.name}: "${text}" is no duration (write 30s, 1m30s or 500ms)`);
  }
  if (value < option.min || value > option.max) {
    const bounds = `${option.min / 1000}s to ${option.max / 1000}s`;
    throw tokens.error(`${option.name}: "${text}" is out of range (${bounds})`);
  }
  return value;
}

/** Whole number within bounds. Throws `CorefileError`. */
export function readInteger(
  tokens: Dispenser,
  text: string,
  option: { name: string } & Bounds,
): number {
  if (!/^[+-]?[0-9]+$/.test(text)) {
    throw tokens.error(`${option.name}: "${text}" is no whole number (write one, like 100)`);
  }
  const value = Number(text);
  if (value < option.min || value > option.max) {
    throw tokens.error(
      `${option.name}: ${text} is out of range (${option.min} to ${option.max})`,
    );
  }
  return value;
}
