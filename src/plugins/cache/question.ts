import { HEADER_SIZE } from "../../dns/constants.ts";
import type { Exchange } from "../../engine/exchange/exchange.ts";
import type { Memory } from "../../engine/memory.ts";
import { sameName } from "../../engine/question/fold.ts";

/** Whether two exchanges ask the same, by everything that an entry's key is made of. */
export function isSameQuestion(a: Exchange, b: Exchange): boolean {
  if (a.hash !== b.hash || a.dnssecOk !== b.dnssecOk || a.ecsLength !== b.ecsLength) return false;
  if (a.checkingDisabled !== b.checkingDisabled) return false;
  const mine = a.memory.bytes;
  const theirs = b.memory.bytes;
  for (let i = 0; i < a.ecsLength; i++) {
    if (mine[a.offset + a.ecsAt + i] !== theirs[b.offset + b.ecsAt + i]) return false;
  }
  return hasQuestion(a, b.memory, b.offset);
}

/** Whether a message's question is that of the exchange: name but for its case, type and class. */
export function hasQuestion(exchange: Exchange, memory: Memory, offset: number): boolean {
  const { qnameLength, qtype, qclass } = exchange;
  const nameAt = offset + HEADER_SIZE;
  const asked = exchange.memory.bytes;
  if (!sameName(asked, exchange.offset + HEADER_SIZE, memory.bytes, nameAt, qnameLength)) {
    return false;
  }
  const { view } = memory;
  const typeAt = nameAt + qnameLength;
  return view.getUint16(typeAt) === qtype && view.getUint16(typeAt + 2) === qclass;
}
