import type { Exchange } from "../../engine/exchange/exchange.ts";
import { type CreateHandler, type Handler, NEXT, type Verdict } from "../../engine/handler.ts";
import type { FlagChange, HeaderOptions } from "./setup.ts";

/** Makes the handler of a `header` directive. */
export const createHeader: CreateHandler<HeaderOptions> = (options) => new HeaderHandler(options);

/** Sets and clears flags: of queries for the handlers behind it, of every response for the client. */
class HeaderHandler implements Handler {
  readonly name = "header";
  /** Applied where responses are composed, so that answers from the cache have them too. */
  readonly responseFlags: FlagChange;
  readonly #query: FlagChange;

  constructor({ query, response }: HeaderOptions) {
    this.responseFlags = response;
    this.#query = query;
  }

  query(exchange: Exchange): Verdict {
    exchange.flags = (exchange.flags | this.#query.set) & ~this.#query.clear;
    return NEXT;
  }
}
