import type { CheckResult, Located } from "./documents.ts";

/** Below, it is killed before serving (measured: 30Mi fails, 64Mi starts). */
const STARTS_BYTES = 64 * 2 ** 20;

/** Up to 96 MiB (`config/memory_limit.ts`), plus four caches. */
export const MIN_MEMORY_BYTES = 128 * 2 ** 20;

const POWERS: Record<string, number> = { k: 1, K: 1, M: 2, G: 3, T: 4, P: 5, E: 6 };

/** Bytes of `192Mi`, `1.5G`, `2e8` or `134217728000m`, or null. */
export function parseQuantity(text: string): number | null {
  const match =
    /^\+?([0-9]+\.?[0-9]*|\.[0-9]+)(?:([KMGTPE]i|[kMGTPE]|[num])|[eE]([+-]?[0-9]{1,2}))?$/
      .exec(text);
  if (match === null) return null;
  const [, digits, suffix = "", exponent = "0"] = match;
  const number = Number(digits) * 10 ** Number(exponent);
  const small = ["m", "u", "n"].indexOf(suffix);
  if (small >= 0) return number / 1000 ** (small + 1);
  return number * (suffix.endsWith("i") ? 1024 : 1000) ** (POWERS[suffix[0] ?? ""] ?? 0);
}

/** Reports an insufficient memory limit. */
export function checkMemory({ text, line }: Located, { faults, warnings }: CheckResult): void {
  const bytes = parseQuantity(text);
  const least = `${MIN_MEMORY_BYTES / 2 ** 20}Mi`;
  if (bytes === null) {
    const what = `the memory limit "${text}" is not a quantity (write it like 192Mi or 1Gi)`;
    faults.push({ line, what });
  } else if (bytes < STARTS_BYTES) {
    const what = `with a memory limit of ${text} nodens is killed before it answers (${least} at` +
      " least, 192Mi is usual)";
    faults.push({ line, what });
  } else if (bytes < MIN_MEMORY_BYTES) {
    const what = `a memory limit of ${text} leaves the caches nothing, and a burst of queries may` +
      ` end the process (${least} at least, 192Mi is usual)`;
    warnings.push({ line, what });
  }
}
