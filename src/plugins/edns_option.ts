import type { Exchange } from "../engine/exchange/exchange.ts";

/** Offset of a client's EDNS option, or -1. Allocates nothing. */
export function findOption(exchange: Exchange, code: number): number {
  if (!exchange.edns) return -1;
  const { view } = exchange.memory;
  const end = exchange.offset + exchange.optionsAt + exchange.optionsLength;
  for (let at = exchange.offset + exchange.optionsAt; at + 4 <= end;) {
    const next = at + 4 + view.getUint16(at + 2);
    if (next > end) return -1;
    if (view.getUint16(at) === code) return at;
    at = next;
  }
  return -1;
}
