import { EDNS_OPTION } from "../../dns/constants.ts";
import { type CreateHandler, NEXT } from "../../engine/handler.ts";
import { findOption } from "../edns_option.ts";
import { explainNsid } from "./explain.ts";
import type { NsidOptions } from "./setup.ts";

/** Adds the server's name (RFC 5001). */
export const createNsid: CreateHandler<NsidOptions> = (options) => {
  const data = new TextEncoder().encode(options.data);
  return {
    name: "nsid",
    passive: true,
    query(exchange) {
      if (findOption(exchange, EDNS_OPTION.NSID) >= 0) exchange.nsid = data;
      return NEXT;
    },
    explain: (exchange) => explainNsid(findOption(exchange, EDNS_OPTION.NSID) >= 0, options.data),
  };
};
