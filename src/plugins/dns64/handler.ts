import { CLASS, FLAG, HEADER_SIZE, RCODE, TYPE } from "../../dns/constants.ts";
import type { Exchange } from "../../engine/exchange/exchange.ts";
import type { CreateHandler } from "../../engine/handler.ts";
import { type MessageRecord, readRecords, writeRecords } from "../../engine/response/records.ts";
import { Subqueries } from "../../engine/subqueries.ts";
import { explainDns64 } from "./explain.ts";
import type { Dns64Options } from "./setup.ts";

/** TTL of synthesized records without an SOA (RFC 6147 section 5.1.7). */
const DEFAULT_TTL_SECONDS = 600;
/** ::ffff:0:0/96, never given to clients (RFC 6147 section 5.1.4). */
const MAPPED = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];

/** Creates a `dns64` handler. */
export const createDns64: CreateHandler<Dns64Options> = (options, { engine, position }) => {
  const { prefix, translateAll, allowIpv4 } = options;
  const subqueries = new Subqueries(engine, position);
  const translated = engine.counter("coredns_dns64_requests_translated_total");
  const mayTranslate = (exchange: Exchange): boolean => {
    if (exchange.qtype !== TYPE.AAAA || exchange.qclass !== CLASS.IN) return false;
    if (exchange.internal) return false;
    // A validating client wants the original data (RFC 6147 section 5.5).
    if (exchange.dnssecOk && exchange.checkingDisabled) return false;
    return allowIpv4 || engine.clientFamily(exchange) === 6;
  };
  return {
    name: "dns64",
    explain: (exchange) => explainDns64(exchange, options, mayTranslate(exchange)),
    response(exchange) {
      if (subqueries.receive(exchange) || !mayTranslate(exchange)) return;
      const { response, memory, offset, qnameLength } = exchange;
      // The name has no A records either (RFC 6147 section 5.1.2).
      if (response === null || response.rcode === RCODE.NXDOMAIN) return;
      const records = readRecords(response);
      if (records === null || (!translateAll && records.some(isUsable))) return;
      const soa = records.find(({ section, type }) => section === "authority" && type === TYPE.SOA);
      const maxSeconds = soa?.ttlSeconds ?? DEFAULT_TTL_SECONDS;
      const nameAt = offset + HEADER_SIZE;
      return subqueries.wait(exchange, {
        name: memory.bytes.subarray(nameAt, nameAt + qnameLength),
        qtype: TYPE.A,
        read: (found) => {
          const records = found && readRecords(found);
          return records && { records, rcode: found!.rcode, flags: found!.flags };
        },
        use: (exchange, answer) => {
          if (answer === null || answer === "full") {
            exchange.error = "dns64: the A records cannot be resolved";
            exchange.response = engine.failure(exchange, RCODE.SERVFAIL);
            return;
          }
          engine.values[translated]!++;
          engine.writer.begin(exchange, answer.rcode, answer.flags & (FLAG.AA | FLAG.TC));
          const records = answer.records.map((record) => translate(record, prefix, maxSeconds));
          exchange.response = writeRecords(engine.writer, exchange, records);
        },
        resume: (parked) => engine.rise(parked),
      });
    },
  };
};

function isUsable({ section, type, data }: MessageRecord): boolean {
  return section === "answer" && type === TYPE.AAAA &&
    !MAPPED.every((octet, i) => data[i] === octet);
}

function translate(
  record: MessageRecord,
  prefix: readonly number[],
  maxSeconds: number,
): MessageRecord {
  if (record.section !== "answer" || record.type !== TYPE.A) return record;
  const ttlSeconds = Math.min(record.ttlSeconds, maxSeconds);
  return { ...record, type: TYPE.AAAA, ttlSeconds, data: embed(prefix, record.data) };
}

/** Bits 64 to 71 stay zero (RFC 6052 section 2.2). */
function embed(prefix: readonly number[], address: Uint8Array): Uint8Array {
  const octets = new Uint8Array(16);
  octets.set(prefix);
  let at = prefix.length;
  for (const octet of address) {
    if (at === 8) at++;
    octets[at++] = octet;
  }
  return octets;
}
