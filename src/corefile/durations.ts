const SECOND = 1000;
const UNITS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  "µs": 1e-3,
  "μs": 1e-3,
  ms: 1,
  s: SECOND,
  m: 60 * SECOND,
  h: 3600 * SECOND,
};

/** No duration that means anything is longer, and a pattern need not look at more. */
const MAX_LENGTH = 64;
/** Go counts nanoseconds in 63 bits. */
const MAX_MS = 2 ** 63 / 1e6;

/**
 * Milliseconds of a duration as Go writes them (`300ms`, `1.5h`, `2h45m`); a bare number means
 * seconds. Null for anything else, and where it is longer than Go can tell (292 years).
 */
export function parseDuration(text: string): number | null {
  if (text.length > MAX_LENGTH) return null;
  const match = /^([+-]?)(.+)$/.exec(text);
  if (match === null) return null;
  const [, sign, rest] = match as unknown as [string, string, string];
  let total = 0;
  if (/^(?:\d+(?:\.\d*)?|\.\d+)$/.test(rest)) {
    total = Number(rest) * SECOND;
  } else {
    if (!/^(?:(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+$/.test(rest)) return null;
    for (const [, number, unit] of rest.matchAll(/([\d.]+)(ns|us|µs|μs|ms|s|m|h)/g)) {
      total += Number(number) * UNITS[unit!]!;
    }
  }
  if (total >= MAX_MS) return null;
  return sign === "-" && total !== 0 ? -total : total;
}

/** Text of a duration for messages: `5m`, `1h30m`, `500ms`. */
export function formatDuration(ms: number): string {
  if (ms < 0) return `-${formatDuration(-ms)}`;
  if (ms === 0) return "0s";
  if (ms < SECOND) return `${ms}ms`;
  const hours = Math.floor(ms / UNITS["h"]!);
  const minutes = Math.floor((ms % UNITS["h"]!) / UNITS["m"]!);
  const seconds = (ms % UNITS["m"]!) / SECOND;
  return (hours > 0 ? `${hours}h` : "") + (minutes > 0 ? `${minutes}m` : "") +
    (seconds > 0 ? `${seconds}s` : "");
}
