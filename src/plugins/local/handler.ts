import { CLASS, HEADER_SIZE, RCODE, TYPE } from "../../dns/constants.ts";
import { parseName } from "../../dns/name.ts";
import type { Exchange } from "../../engine/exchange/exchange.ts";
import { ANSWERED, type CreateHandler, NEXT, type Verdict } from "../../engine/handler.ts";
import { isQname, sameName } from "../../engine/question/fold.ts";
import { ZoneTable } from "../../engine/question/zones.ts";
import { explainLocal } from "./explain.ts";
import type { LocalOptions } from "./setup.ts";

/** A week, as in CoreDNS. */
const TTL_SECONDS = 604_800;
const LOCALHOST = parseName("localhost.");
/** Without the root label. */
const LOCALHOST_LABEL = LOCALHOST.subarray(0, LOCALHOST.length - 1);
const LOOPBACK = parseName("1.0.0.127.in-addr.arpa.");
const ADDRESS_4 = Uint8Array.from([127, 0, 0, 1]);
const ADDRESS_6 = Uint8Array.from({ length: 16 }, (_, i) => i === 15 ? 1 : 0);
/** Server, mailbox, serial, refresh, retry, expire and minimum. */
const SOA = Uint8Array.from([
  ...[...LOCALHOST, ...parseName("root.localhost.")],
  ...[1, 0, 0, 0, TTL_SECONDS].flatMap((n) => [n >>> 24, n >>> 16, n >>> 8, n]),
]);
/** RFC 6761 sections 6.1 and 6.3, RFC 6303 section 4.2. */
const ZONES = ["localhost.", "0.in-addr.arpa.", "127.in-addr.arpa.", "255.in-addr.arpa."];

/** Answers for localhost and its reverse zones. */
export const createLocal: CreateHandler<LocalOptions> = ({ localhostPrefix }, { engine }) => {
  const zones = new ZoneTable(ZONES.map((zone) => {
    const name = parseName(zone);
    return [zone, { name, localhost: zone === "localhost." }];
  }));
  const answer = (exchange: Exchange, type: number, data: Uint8Array): Verdict => {
    const writer = engine.writer.begin(exchange, RCODE.NOERROR);
    writer.record("answer", null, type, CLASS.IN, TTL_SECONDS).raw(data, 0, data.length);
    exchange.response = writer.end();
    return ANSWERED;
  };
  /** SOA `owner`; null for the qname. */
  const deny = (exchange: Exchange, owner: Uint8Array | null, rcode: number): Verdict => {
    const writer = engine.writer.begin(exchange, rcode);
    writer.record("authority", owner, TYPE.SOA, CLASS.IN, TTL_SECONDS).raw(SOA, 0, SOA.length);
    exchange.response = writer.end();
    return ANSWERED;
  };
  return {
    name: "local",
    passive: true,
    explain(exchange) {
      return explainLocal(this.query!(exchange));
    },
    query(exchange) {
      const { qclass, qtype, qnameLength } = exchange;
      if (qclass !== CLASS.IN) return NEXT;
      const zone = zones.match(exchange);
      // Names below localhost are this host too (RFC 6761 section 6.3).
      const localhost = zone?.localhost || (localhostPrefix && beginsWithLocalhost(exchange));
      if (localhost && qtype === TYPE.A) return answer(exchange, qtype, ADDRESS_4);
      if (localhost && qtype === TYPE.AAAA) return answer(exchange, qtype, ADDRESS_6);
      if (zone === null && !localhost) return NEXT;
      const isApex = localhost ? isQname(exchange, LOCALHOST) : qnameLength === zone!.name.length;
      if (isApex && qtype === TYPE.SOA) return answer(exchange, qtype, SOA);
      if (isApex && qtype === TYPE.NS) return answer(exchange, qtype, LOCALHOST);
      if (localhost) return deny(exchange, null, RCODE.NOERROR);
      const isLoopback = isQname(exchange, LOOPBACK);
      if (isLoopback && qtype === TYPE.PTR) return answer(exchange, qtype, LOCALHOST);
      return deny(exchange, zone!.name, isApex || isLoopback ? RCODE.NOERROR : RCODE.NXDOMAIN);
    },
  };
};

function beginsWithLocalhost({ memory, offset, labelCount }: Exchange): boolean {
  return labelCount > 1 &&
    memory.bytes[offset + HEADER_SIZE] === LOCALHOST_LABEL[0] &&
    sameName(memory.bytes, offset + HEADER_SIZE, LOCALHOST_LABEL, 0, LOCALHOST_LABEL.length);
}
