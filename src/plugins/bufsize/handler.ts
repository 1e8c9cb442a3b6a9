import type { Exchange } from "../../engine/exchange.ts";
import { type CreateHandler, type Handler, NEXT, type Verdict } from "../../engine/handler.ts";
import type { BufsizeOptions } from "./options.ts";

/** Makes the handler of a `bufsize` directive. */
export const createBufsize: CreateHandler<BufsizeOptions> = ({ sizeBytes }) =>
  new BufsizeHandler(sizeBytes);

/** Lowers the UDP payload sizes that a client asks for and that are announced. Never raises one. */
class BufsizeHandler implements Handler {
  readonly name = "bufsize";
  readonly #sizeBytes: number;

  constructor(sizeBytes: number) {
    this.#sizeBytes = sizeBytes;
  }

  query(exchange: Exchange): Verdict {
    const size = this.#sizeBytes;
    if (exchange.ednsSize > size) exchange.ednsSize = size;
    if (exchange.payloadSize > size) exchange.payloadSize = size;
    return NEXT;
  }
}
