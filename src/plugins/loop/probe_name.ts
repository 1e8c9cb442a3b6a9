/** Probe names: `HEX.HEX.ZONE`. Both labels are random, so no NXDOMAIN covers them (RFC 8020). */
import { CLASS, FLAG, HEADER_SIZE, TYPE } from "../../dns/constants.ts";
import { parseName } from "../../dns/name.ts";
import type { Exchange } from "../../engine/exchange/exchange.ts";
import type { Memory } from "../../engine/memory.ts";

/** Words of a nonce. */
export const NONCE_WORDS = 4;

const DIGITS = 16;
/** Size of the two random labels. */
export const PROBE_LABELS_SIZE: number = 2 * (1 + DIGITS);

/** Probe name in presentation format. */
export function nameOf(nonce: Uint32Array, zone: string): string {
  const digits = Array.from(nonce, (word) => word.toString(16).padStart(8, "0")).join("");
  return `${digits.slice(0, DIGITS)}.${digits.slice(DIGITS)}.${zone === "." ? "" : zone}`;
}

/** Writes a probe query at the start of `memory`; returns its length. */
export function writeProbe(memory: Memory, nonce: Uint32Array, zone: string): number {
  const { bytes, view } = memory;
  bytes.fill(0, 0, HEADER_SIZE);
  view.setUint16(2, FLAG.RD);
  view.setUint16(4, 1);
  const name = parseName(nameOf(nonce, zone));
  bytes.set(name, HEADER_SIZE);
  const at = HEADER_SIZE + name.length;
  view.setUint16(at, TYPE.HINFO);
  view.setUint16(at + 2, CLASS.IN);
  return at + 4;
}

/** False for other names. */
export function readNonce(exchange: Exchange, nonce: Uint32Array): boolean {
  if (exchange.labelCount < 2) return false;
  const { bytes } = exchange.memory;
  let at = exchange.offset + HEADER_SIZE;
  for (let i = 0; i < NONCE_WORDS; i++) {
    if (i % 2 === 0 && bytes[at++] !== DIGITS) return false;
    let word = 0;
    for (const end = at + 8; at < end; at++) {
      const digit = digitOf(bytes[at]!);
      if (digit < 0) return false;
      word = (word << 4) | digit;
    }
    nonce[i] = word;
  }
  return true;
}

/** Servers may have changed the case. */
function digitOf(octet: number): number {
  if (octet >= 0x30 && octet <= 0x39) return octet - 0x30;
  const letter = octet | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x61 + 10 : -1;
}
