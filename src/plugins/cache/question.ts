import { HEADER_SIZE } from "../../dns/constants.ts";
import type { Exchange } from "../../engine/exchange.ts";
import { mix, upperMask } from "../../engine/hash.ts";
import type { Memory } from "../../engine/memory.ts";

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
  const mine = exchange.memory.bytes;
  const theirs = memory.bytes;
  let a = exchange.offset + HEADER_SIZE;
  let b = offset + HEADER_SIZE;
  for (const end = a + exchange.qnameLength; a < end; a++, b++) {
    const x = mine[a]!;
    const y = theirs[b]!;
    if (x !== y && (x | upperMask(x)) !== (y | upperMask(y))) return false;
  }
  return memory.view.getUint16(b) === exchange.qtype &&
    memory.view.getUint16(b + 2) === exchange.qclass;
}

/** Makes the client's subnet part of the exchange's hash, where the client sent one. */
export function mixSubnet(exchange: Exchange): void {
  const { bytes } = exchange.memory;
  const start = exchange.offset + exchange.ecsAt;
  let hash = exchange.hash;
  for (let i = 0; i < exchange.ecsLength; i++) hash = mix(hash, bytes[start + i]!);
  exchange.hash = hash;
}
