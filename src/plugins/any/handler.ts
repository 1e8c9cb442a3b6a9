import { RCODE, TYPE } from "../../dns/constants.ts";
import { ANSWERED, type CreateHandler, NEXT } from "../../engine/handler.ts";

/** CPU and operating system of the HINFO record, each after its length. */
const DATA = new TextEncoder().encode("\x0dANY obsoleted\x0cSee RFC 8482");
/** As CoreDNS: long, so that resolvers do not repeat the query soon. */
const TTL_SECONDS = 8482;

/** Answers queries for ANY with one small record (RFC 8482 section 4.2). */
export const createAny: CreateHandler = (_options, { engine }) => ({
  name: "any",
  query(exchange) {
    if (exchange.qtype !== TYPE.ANY) return NEXT;
    const writer = engine.writer.begin(exchange, RCODE.NOERROR);
    writer.record("answer", null, TYPE.HINFO, exchange.qclass, TTL_SECONDS)
      .raw(DATA, 0, DATA.length);
    exchange.response = writer.end();
    return ANSWERED;
  },
});
