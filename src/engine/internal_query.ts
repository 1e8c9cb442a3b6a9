import { FLAG, HEADER_SIZE } from "../dns/constants.ts";
import { type Chain, Exchange } from "./exchange/exchange.ts";
import { Memory } from "./memory.ts";

/**
 * A query of nodens' own, with RD and `room` octets behind its question. Set DO and CD, then
 * `readStoredQuestion`.
 */
export function internalQuery(
  chain: Chain | undefined,
  { name, qtype, qclass }: { name: Uint8Array; qtype: number; qclass: number },
  room = 0,
): Exchange {
  const typeAt = HEADER_SIZE + name.length;
  const memory = new Memory(typeAt + 4 + room);
  const { bytes, view } = memory;
  view.setUint16(2, FLAG.RD);
  view.setUint16(4, 1);
  bytes.set(name, HEADER_SIZE);
  view.setUint16(typeAt, qtype);
  view.setUint16(typeAt + 2, qclass);
  const query = new Exchange(memory, chain);
  query.length = typeAt + 4;
  query.flags = FLAG.RD;
  return query;
}
