/** Probe names: `HEX.HEX.ZONE`. Both labels are random, so no NXDOMAIN covers them (RFC 8020). */
import { CLASS, HEADER_SIZE, LOOP_MARK_SIZE, TYPE } from "../../dns/constants.ts";
import { parseName } from "../../dns/name.ts";
import type { Chain, Exchange } from "../../engine/exchange/exchange.ts";
import { internalQuery } from "../../engine/internal_query.ts";
import { LABEL_DIGITS, NONCE_WORDS } from "./options.ts";

/** Random identity of a probe. */
export interface ProbeTokens {
  readonly nonce: Uint32Array;
  /** Known only to servers that received the probe. */
  readonly mark: Uint32Array;
}

/** Probe name in presentation format. */
export function nameOf(nonce: Uint32Array, zone: string): string {
  const digits = Array.from(nonce, (word) => word.toString(16).padStart(8, "0")).join("");
  return `${digits.slice(0, LABEL_DIGITS)}.${digits.slice(LABEL_DIGITS)}.${
    zone === "." ? "" : zone
  }`;
}

/** Its question must still be read. */
export function probeQuery({ nonce, mark }: ProbeTokens, zone: string, chain?: Chain): Exchange {
  const name = parseName(nameOf(nonce, zone));
  const question = { name, qtype: TYPE.HINFO, qclass: CLASS.IN };
  const query = internalQuery(chain, question, LOOP_MARK_SIZE);
  query.markAt = query.length;
  mark.forEach((word, i) => query.memory.view.setUint32(query.markAt + 4 * i, word));
  return query;
}

/** False for other names. */
export function readNonce(exchange: Exchange, nonce: Uint32Array): boolean {
  if (exchange.labelCount < 2) return false;
  const { bytes } = exchange.memory;
  let at = exchange.offset + HEADER_SIZE;
  for (let i = 0; i < NONCE_WORDS; i++) {
    if (i % 2 === 0 && bytes[at++] !== LABEL_DIGITS) return false;
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
