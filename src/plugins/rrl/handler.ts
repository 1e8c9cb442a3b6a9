import { type CreateHandler, NEXT } from "../../engine/handler.ts";
import { explainRrl } from "./explain.ts";
import type { RrlOptions } from "./setup.ts";

/** Sets the rate of large UDP responses, which the engine counts. */
export const createRrl: CreateHandler<RrlOptions> = (options) => {
  const rate = options.perSecond === 0 ? null : options;
  return {
    name: "rrl",
    query(exchange) {
      exchange.rate = rate;
      return NEXT;
    },
    explain: (exchange) => explainRrl(exchange, rate),
  };
};
