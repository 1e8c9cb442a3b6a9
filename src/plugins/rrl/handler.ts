import type { Exchange } from "../../engine/exchange/exchange.ts";
import { type CreateHandler, type Handler, NEXT, type Verdict } from "../../engine/handler.ts";
import type { ResponseRate } from "../../engine/response/limiter.ts";
import type { RrlOptions } from "./options.ts";

/** Makes the handler of an `rrl` directive. */
export const createRrl: CreateHandler<RrlOptions> = (options) => new RrlHandler(options);

/** Sets the rate of large UDP responses; the engine counts them once their size is known. */
class RrlHandler implements Handler {
  readonly name = "rrl";
  readonly #rate: ResponseRate | null;

  constructor(options: RrlOptions) {
    this.#rate = options.perSecond === 0 ? null : options;
  }

  query(exchange: Exchange): Verdict {
    exchange.rate = this.#rate;
    return NEXT;
  }
}
