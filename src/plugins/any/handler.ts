import { RCODE, TYPE } from "../../dns/constants.ts";
import type { Exchange } from "../../engine/exchange/exchange.ts";
import {
  ANSWERED,
  type CreateHandler,
  type EngineServices,
  type Handler,
  NEXT,
  type Verdict,
} from "../../engine/handler.ts";
import type { AnyOptions } from "./options.ts";

/** CPU and operating system of the HINFO record, each with its length in front. */
const DATA = new TextEncoder().encode("\x0dANY obsoleted\x0cSee RFC 8482");
/** Long, so that resolvers do not come back soon; the number is CoreDNS's. */
const TTL_SECONDS = 8482;

/** Makes the handler of an `any` directive. */
export const createAny: CreateHandler<AnyOptions> = (_options, { engine }) =>
  new AnyHandler(engine);

/** Answers queries for ANY with one small record (RFC 8482 section 4.2). */
class AnyHandler implements Handler {
  readonly name = "any";
  readonly #engine: EngineServices;

  constructor(engine: EngineServices) {
    this.#engine = engine;
  }

  query(exchange: Exchange): Verdict {
    if (exchange.qtype !== TYPE.ANY) return NEXT;
    const writer = this.#engine.writer.begin(exchange, RCODE.NOERROR);
    writer.record("answer", null, TYPE.HINFO, exchange.qclass, TTL_SECONDS).raw(
      DATA,
      0,
      DATA.length,
    );
    exchange.response = writer.end();
    return ANSWERED;
  }
}
