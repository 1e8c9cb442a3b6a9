/**
 * Names of probes: `HEX.HEX.ZONE`, twice sixteen digits drawn anew for each probe, of type HINFO as
 * in CoreDNS. Both labels are random, so that no resolver on the way knows from an earlier answer
 * that there is nothing below the second one (RFC 8020).
 */
import { CLASS, FLAG, HEADER_SIZE, TYPE } from "../../dns/constants.ts";
import type { Exchange } from "../../engine/exchange/exchange.ts";
import type { Memory } from "../../engine/memory.ts";

/** 32-bit numbers that the digits of a name stand for. */
export const NONCE_WORDS = 4;

const DIGITS = 16;
/** Octets of a probe's own labels. */
export const PROBE_LABELS_SIZE: number = 2 * (1 + DIGITS);

/** Writes the query for a probe at the start of `memory`; returns its length in bytes. */
export function writeProbe(memory: Memory, nonce: Uint32Array, zone: Uint8Array): number {
  const { bytes, view } = memory;
  view.setUint16(0, 0);
  view.setUint16(2, FLAG.RD);
  view.setUint16(4, 1);
  view.setUint16(6, 0);
  view.setUint32(8, 0);
  let at = HEADER_SIZE;
  const digits = [...nonce].map((word) => word.toString(16).padStart(8, "0")).join("");
  for (let i = 0; i < digits.length; i++) {
    if (i % DIGITS === 0) bytes[at++] = DIGITS;
    bytes[at++] = digits.charCodeAt(i);
  }
  bytes.set(zone, at);
  at += zone.length;
  view.setUint16(at, TYPE.HINFO);
  view.setUint16(at + 2, CLASS.IN);
  return at + 4;
}

/** Reads the numbers in the exchange's qname into `nonce`; false if it is not the name of a probe. */
export function readNonce(exchange: Exchange, nonce: Uint32Array): boolean {
  if (exchange.labelCount < 2) return false;
  const { bytes } = exchange.memory;
  let at = exchange.offset + HEADER_SIZE;
  for (let i = 0; i < NONCE_WORDS; i++) {
    if (i % 2 === 0 && bytes[at++] !== DIGITS) return false;
    let word = 0;
    const end = at + 8;
    for (; at < end; at++) {
      const digit = digitOf(bytes[at]!);
      if (digit < 0) return false;
      word = (word << 4) | digit;
    }
    nonce[i] = word;
  }
  return true;
}

/** Value of a hexadecimal digit, in either case: a server on the way may have mixed that. */
function digitOf(octet: number): number {
  if (octet >= 0x30 && octet <= 0x39) return octet - 0x30;
  const letter = octet | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x61 + 10 : -1;
}
