import { RCODE, TYPE } from "../../dns/constants.ts";
import { ANSWERED, type CreateHandler, NEXT } from "../../engine/handler.ts";
import { explainAny } from "./explain.ts";

/** HINFO data: CPU and operating system. */
const DATA = new TextEncoder().encode("\x0dANY obsoleted\x0cSee RFC 8482");
/** As in CoreDNS: long, to discourage repeated queries. */
const TTL_SECONDS = 8482;

/** Answers ANY queries with one small record (RFC 8482 section 4.2). */
export const createAny: CreateHandler = (_options, { engine }) => ({
  name: "any",
  passive: true,
  explain(exchange) {
    return explainAny(this.query!(exchange));
  },
  query(exchange) {
    if (exchange.qtype !== TYPE.ANY) return NEXT;
    const writer = engine.writer.begin(exchange, RCODE.NOERROR);
    writer.record("answer", null, TYPE.HINFO, exchange.qclass, TTL_SECONDS)
      .raw(DATA, 0, DATA.length);
    exchange.response = writer.end();
    return ANSWERED;
  },
});
