import { CLASS, HEADER_SIZE, MAX_NAME_SIZE } from "../dns/constants.ts";
import type { Exchange } from "./exchange.ts";
import { finish, mix, upperMask } from "./hash.ts";

/**
 * Reads the question of a kept response at `exchange.offset` into the exchange's fields, with the
 * hash that `parseQuery` gives a query for it; DO and CD come from the exchange.
 *
 * Nothing is taken on trust: the message may come from a file that anybody has written.
 *
 * @param seed - secret of this process, as for `parseQuery`
 * @returns false where there is no such question
 */
export function parseStoredQuestion(exchange: Exchange, seed: number): boolean {
  const { memory, offset, length } = exchange;
  const { bytes, view } = memory;
  if (length < HEADER_SIZE || view.getUint16(offset + 4) !== 1) return false;
  const nameAt = offset + HEADER_SIZE;
  const end = offset + length;
  let at = nameAt;
  let labels = 0;
  for (;;) {
    if (at >= end) return false;
    const size = bytes[at]!;
    if (size === 0) break;
    if (size > 63) return false;
    at += size + 1;
    labels++;
  }
  at++;
  const nameLength = at - nameAt;
  if (nameLength > MAX_NAME_SIZE || at + 4 > end) return false;
  if (view.getUint16(at + 2) !== CLASS.IN) return false;
  exchange.qnameLength = nameLength;
  exchange.labelCount = labels;
  exchange.qtype = view.getUint16(at);
  exchange.qclass = CLASS.IN;

  let hash = seed;
  let word = nameAt;
  for (const last = nameAt + (nameLength & ~3); word < last; word += 4) {
    const value = view.getInt32(word, true);
    hash = mix(hash, value | upperMask(value));
  }
  const rest = nameLength & 3;
  if (rest !== 0) {
    const value = view.getInt32(word, true) & ((1 << (rest << 3)) - 1);
    hash = mix(hash, value | upperMask(value));
  }
  const key = (exchange.dnssecOk ? 0x10000 : 0) | (exchange.checkingDisabled ? 0x20000 : 0);
  exchange.hash = finish(mix(hash, exchange.qtype | key));
  return true;
}
