import type { Dispenser } from "../../corefile/dispenser.ts";
import { quote } from "../../corefile/quote.ts";
import type { Bounds } from "../../corefile/values.ts";

const UNITS: Readonly<Record<string, number>> = {
  "": 1,
  K: 1e3,
  M: 1e6,
  G: 1e9,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
};

/** Size in bytes as Kubernetes writes quantities (`64Mi`, `64M`, `67108864`). Throws `CorefileError`. */
export function readSize(tokens: Dispenser, text: string, { name, min, max }: Bounds): number {
  const match = /^([0-9]{1,15})([KMG]i?)?$/.exec(text);
  if (match === null) {
    throw tokens.error(`${name}: ${quote(text)} is no size (write 64Mi, 64M or 67108864)`);
  }
  const value = Number(match[1]) * UNITS[match[2] ?? ""]!;
  if (value < min || value > max) {
    const range = `${formatSize(min)} to ${formatSize(max)}`;
    throw tokens.error(`${name}: ${quote(text)} is out of range (${range})`);
  }
  return value;
}

/** Text of a size for messages: in the largest unit that leaves a whole number. */
export function formatSize(bytes: number): string {
  for (const unit of ["Gi", "Mi", "Ki"]) {
    const size = UNITS[unit]!;
    if (bytes >= size && bytes % size === 0) return `${bytes / size}${unit}`;
  }
  return String(bytes);
}
