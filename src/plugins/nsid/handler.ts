import { EDNS_OPTION } from "../../dns/constants.ts";
import type { Exchange } from "../../engine/exchange/exchange.ts";
import { type CreateHandler, type Handler, NEXT, type Verdict } from "../../engine/handler.ts";
import type { NsidOptions } from "./options.ts";

/** Makes the handler of an `nsid` directive. */
export const createNsid: CreateHandler<NsidOptions> = ({ data }) =>
  new NsidHandler(new TextEncoder().encode(data));

/** Has the name of this server told to clients that ask for it (RFC 5001). */
class NsidHandler implements Handler {
  readonly name = "nsid";
  readonly #data: Uint8Array;

  constructor(data: Uint8Array) {
    this.#data = data;
  }

  query(exchange: Exchange): Verdict {
    if (exchange.edns && hasOption(exchange, EDNS_OPTION.NSID)) exchange.nsid = this.#data;
    return NEXT;
  }
}

/** Whether the client's OPT record holds this option, whole. */
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
