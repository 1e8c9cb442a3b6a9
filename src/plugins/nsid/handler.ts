import { EDNS_OPTION } from "../../dns/constants.ts";
import type { Exchange } from "../../engine/exchange/exchange.ts";
import { type CreateHandler, NEXT } from "../../engine/handler.ts";
import type { NsidOptions } from "./setup.ts";

/** Adds the server's name (RFC 5001). */
export const createNsid: CreateHandler<NsidOptions> = (options) => {
  const data = new TextEncoder().encode(options.data);
  return {
    name: "nsid",
    query(exchange) {
      if (exchange.edns && hasOption(exchange, EDNS_OPTION.NSID)) exchange.nsid = data;
      return NEXT;
    },
  };
};

function hasOption(exchange: Exchange, code: number): boolean {
  const { view } = exchange.memory;
  let at = exchange.offset + exchange.optionsAt;
  const end = at + exchange.optionsLength;
  while (at + 4 <= end) {
    const next = at + 4 + view.getUint16(at + 2);
    if (next > end) return false;
    if (view.getUint16(at) === code) return true;
    at = next;
  }
  return false;
}
