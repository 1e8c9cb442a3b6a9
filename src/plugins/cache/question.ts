import { HEADER_SIZE } from "../../dns/constants.ts";
import type { Exchange } from "../../engine/exchange/exchange.ts";
import type { Memory } from "../../engine/memory.ts";
import { sameName } from "../../engine/question/fold.ts";

/** Compares keys, including the client subnet. */
export function isSameQuestion(a: Exchange, b: Exchange): boolean {
  if (a.hash !== b.hash || a.dnssecOk !== b.dnssecOk || a.ecsLength !== b.ecsLength) return false;
  if (a.checkingDisabled !== b.checkingDisabled) return false;
  for (let i = 0; i < a.ecsLength; i++) {
    const octet = a.memory.bytes[a.offset + a.ecsAt + i];
    if (octet !== b.memory.bytes[b.offset + b.ecsAt + i]) return false;
  }
  return hasQuestion(a, b.memory, b.offset);
}

/** A message has the question, ignoring case. */
export function hasQuestion(exchange: Exchange, memory: Memory, offset: number): boolean {
  const { qnameLength, qtype, qclass } = exchange;
  const nameAt = offset + HEADER_SIZE;
  const askedAt = exchange.offset + HEADER_SIZE;
  const typeAt = nameAt + qnameLength;
  return sameName(exchange.memory.bytes, askedAt, memory.bytes, nameAt, qnameLength) &&
    memory.view.getUint16(typeAt) === qtype && memory.view.getUint16(typeAt + 2) === qclass;
}
