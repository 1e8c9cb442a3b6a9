import { isSubnet } from "../../dns/client_subnet.ts";
import {
  CLASS,
  EDNS_DO,
  EDNS_OPTION,
  FLAG,
  HEADER_SIZE,
  LOOP_MARK_SIZE,
  MAX_NAME_SIZE,
  RCODE,
  TYPE,
} from "../../dns/constants.ts";
import type { Exchange } from "./exchange.ts";
import { isProbe } from "../question/probe.ts";
import type { HashKey } from "../question/keyed_hash.ts";
import { hashQuestion, readQuestion } from "../question/read.ts";

/** The message is not a query that deserves an answer (too short, or itself a response). */
export const NO_QUERY = -1;

/** Most records that a query may carry besides its question, by section (as CoreDNS accepts). */
const MAX_ANSWERS = 1;
const MAX_AUTHORITIES = 1;
const MAX_ADDITIONALS = 2;

/**
 * Reads the query at `exchange.offset` into the exchange's fields, without copying or allocating.
 *
 * Afterwards `qnameLength` is 0 unless the question could be read, so that an error can be answered
 * with or without it. The question is hashed only if the query goes on.
 *
 * @param key - drawn by this process, so that nobody can prepare names with equal hashes
 * @returns RCODE.NOERROR for a query to go on with, another response code to answer at once, or
 *   `NO_QUERY` to drop it
 */
export function parseQuery(exchange: Exchange, key: HashKey): number {
  const { memory: { view }, offset, length } = exchange;
  exchange.qnameLength = 0;
  exchange.edns = false;
  exchange.ednsSize = 0;
  exchange.ednsVersion = 0;
  exchange.dnssecOk = false;
  exchange.ecsLength = 0;
  exchange.markAt = 0;
  if (length < HEADER_SIZE) return NO_QUERY;
  const flags = view.getUint16(offset + 2);
  if ((flags & FLAG.QR) !== 0) return NO_QUERY;
  exchange.id = view.getUint16(offset);
  exchange.flags = flags;
  if ((flags & FLAG.OPCODE) !== 0) return RCODE.NOTIMP;
  if (view.getUint16(offset + 4) !== 1) return RCODE.FORMERR;
  const answers = view.getUint16(offset + 6);
  const authorities = view.getUint16(offset + 8);
  const additionals = view.getUint16(offset + 10);

  const questionEnd = readQuestion(exchange);
  if (questionEnd < 0) return RCODE.FORMERR;
  if ((answers | authorities | additionals) !== 0) {
    if (
      answers > MAX_ANSWERS || authorities > MAX_AUTHORITIES || additionals > MAX_ADDITIONALS
    ) return RCODE.FORMERR;
    const rcode = readRecords(exchange, questionEnd, answers + authorities, additionals);
    if (rcode !== RCODE.NOERROR) return rcode;
  }
  if (exchange.ednsVersion !== 0) return RCODE.BADVERS;
  if (exchange.qtype === TYPE.AXFR || exchange.qtype === TYPE.IXFR) return RCODE.REFUSED;
  if (exchange.qtype === TYPE.OPT) return RCODE.FORMERR;
  if (exchange.qclass !== CLASS.IN && isProbe(exchange)) return RCODE.REFUSED;
  hashQuestion(exchange, key);
  return RCODE.NOERROR;
}

/** Steps over the records behind the question and reads the OPT record among them (RFC 6891). */
function readRecords(
  exchange: Exchange,
  start: number,
  others: number,
  additionals: number,
): number {
  const { bytes, view } = exchange.memory;
  const end = exchange.offset + exchange.length;
  let at = start;
  for (let i = 0; i < others + additionals; i++) {
    const nameAt = at;
    for (;;) {
      if (at >= end) return RCODE.FORMERR;
      const size = bytes[at]!;
      if (size === 0) {
        at++;
        break;
      }
      if (size >= 0xc0) {
        at += 2;
        break;
      }
      if (size > 63 || at - nameAt > MAX_NAME_SIZE) return RCODE.FORMERR;
      at += size + 1;
    }
    if (at + 10 > end) return RCODE.FORMERR;
    const type = view.getUint16(at);
    const dataLength = view.getUint16(at + 8);
    if (at + 10 + dataLength > end) return RCODE.FORMERR;
    if (type === TYPE.OPT) {
      // At most one, in the additional section, owned by the root (RFC 6891 section 6.1.1).
      if (i < others || exchange.edns || bytes[nameAt] !== 0) return RCODE.FORMERR;
      exchange.edns = true;
      exchange.ednsSize = view.getUint16(at + 2);
      exchange.ednsVersion = bytes[at + 5]!;
      exchange.optionsAt = at + 10 - exchange.offset;
      exchange.optionsLength = dataLength;
      exchange.dnssecOk = (view.getUint16(at + 6) & EDNS_DO) !== 0;
      if (dataLength > 0 && !readOptions(exchange, at + 10, dataLength)) return RCODE.FORMERR;
    }
    at += 10 + dataLength;
  }
  return RCODE.NOERROR;
}

/**
 * Walks over the options of an OPT record; finds the client subnet and a mark among them. A subnet
 * that breaks RFC 7871 section 6 is ignored here, and so never forwarded.
 *
 * @returns false if the options do not fill the record's data exactly (RFC 6891 section 6.1.2)
 */
function readOptions(exchange: Exchange, start: number, length: number): boolean {
  const { bytes, view } = exchange.memory;
  const end = start + length;
  let at = start;
  while (at + 4 <= end) {
    const size = view.getUint16(at + 2);
    const next = at + 4 + size;
    if (next > end) return false;
    if (
      view.getUint16(at) === EDNS_OPTION.CLIENT_SUBNET && exchange.ecsLength === 0 &&
      isSubnet(bytes, at + 4, size)
    ) {
      exchange.ecsAt = at + 4 - exchange.offset;
      exchange.ecsLength = size;
    }
    // Only probes for loops have one, and those are of this type.
    if (
      exchange.qtype === TYPE.HINFO && size === LOOP_MARK_SIZE &&
      view.getUint16(at) === EDNS_OPTION.LOOP_MARK
    ) exchange.markAt = at + 4 - exchange.offset;
    at = next;
  }
  return at === end;
}
