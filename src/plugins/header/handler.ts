import { type CreateHandler, NEXT } from "../../engine/handler.ts";
import { explainHeader } from "./explain.ts";
import type { HeaderOptions } from "./setup.ts";

/** Changes query flags; the engine changes response flags, even from the cache. */
export const createHeader: CreateHandler<HeaderOptions> = ({ query: change, response }) => ({
  name: "header",
  responseFlags: response,
  query(exchange) {
    exchange.flags = (exchange.flags | change.set) & ~change.clear;
    return NEXT;
  },
  explain(exchange) {
    this.query!(exchange);
    return explainHeader({ query: change, response });
  },
});
