import { parseAddress } from "./address.ts";

/** Addresses that begin with `bits` bits of `octets`. */
export interface Network {
  octets: number[];
  bits: number;
}

/** `10.0.0.0/8`; null if invalid. */
export function parseNetwork(text: string): Network | null {
  const [, address = "", length] = /^([^/]*)\/([0-9]{1,3})$/.exec(text) ?? [];
  const octets = parseAddress(address);
  const bits = Number(length);
  return octets === null || bits > 8 * octets.length ? null : { octets: [...octets], bits };
}

/** `size` octets at `at`. */
export function isInNetwork(
  { octets, bits }: Network,
  bytes: Uint8Array,
  at: number,
  size: number,
): boolean {
  if (octets.length !== size) return false;
  const whole = bits >> 3;
  for (let i = 0; i < whole; i++) if (octets[i] !== bytes[at + i]) return false;
  const rest = bits & 7;
  return rest === 0 || (octets[whole]! ^ bytes[at + whole]!) >> (8 - rest) === 0;
}
