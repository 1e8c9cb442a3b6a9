import type { Exchange } from "../../engine/exchange/exchange.ts";
import { type CreateHandler, type Handler, NEXT, type Verdict } from "../../engine/handler.ts";
import type { BufsizeOptions } from "./options.ts";

/** Makes the handler of a `bufsize` directive. */
export const createBufsize: CreateHandler<BufsizeOptions> = ({ sizeBytes }) =>
  new BufsizeHandler(sizeBytes);

/** Sets the largest UDP response, and lowers the payload sizes that are announced to match it. */
class BufsizeHandler implements Handler {
  readonly name = "bufsize";
  readonly #sizeBytes: number;

  constructor(sizeBytes: number) {
    this.#sizeBytes = sizeBytes;
  }

  query(exchange: Exchange): Verdict {
    const size = this.#sizeBytes;
    exchange.maxUdpSize = size;
    // The log shows what is left of the client's own size, as CoreDNS's does.
    if (exchange.ednsSize > size) exchange.ednsSize = size;
    if (exchange.payloadSize > size) exchange.payloadSize = size;
    return NEXT;
  }
}
