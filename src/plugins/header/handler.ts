import { type CreateHandler, NEXT } from "../../engine/handler.ts";
import type { HeaderOptions } from "./setup.ts";

/**
 * Sets and clears flags of queries, and of the block's responses: the engine applies `responseFlags`
 * to responses from the cache as well.
 */
export const createHeader: CreateHandler<HeaderOptions> = ({ query: change, response }) => ({
  name: "header",
  responseFlags: response,
  query(exchange) {
    exchange.flags = (exchange.flags | change.set) & ~change.clear;
    return NEXT;
  },
});
