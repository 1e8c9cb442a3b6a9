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
import { passName } from "../../dns/names/walk.ts";
import { RECORD_FIELDS_SIZE } from "../../dns/response_scan.ts";
import type { HashKey } from "../question/keyed_hash.ts";
import { isProbe } from "../question/probe.ts";
import { hashQuestion, readQuestion } from "../question/read.ts";
import type { Exchange } from "./exchange.ts";

/** Too short, or a response. */
export const NO_QUERY = -1;

/** As in CoreDNS. */
const MAX_ANSWERS = 1;
const MAX_AUTHORITIES = 1;
const MAX_ADDITIONALS = 2;

/**
 * Reads and hashes the query at `exchange.offset`; `qnameLength` is 0 if unreadable.
 * @returns NOERROR, another rcode to answer at once, or `NO_QUERY`
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
  const questionEnd = readQuestion(exchange);
  if (questionEnd < 0) return RCODE.FORMERR;
  const hasRecords = (view.getUint16(offset + 6) | view.getInt32(offset + 8)) !== 0;
  if (hasRecords && !readRecords(exchange, questionEnd)) return RCODE.FORMERR;
  if (exchange.ednsVersion !== 0) return RCODE.BADVERS;
  if (exchange.qtype === TYPE.AXFR || exchange.qtype === TYPE.IXFR) return RCODE.REFUSED;
  if (exchange.qtype === TYPE.OPT) return RCODE.FORMERR;
  if (exchange.qclass !== CLASS.IN && isProbe(exchange)) return RCODE.REFUSED;
  hashQuestion(exchange, key);
  return RCODE.NOERROR;
}

function readRecords(exchange: Exchange, start: number): boolean {
  const { memory: { bytes, view }, offset } = exchange;
  const answers = view.getUint16(offset + 6);
  const authorities = view.getUint16(offset + 8);
  const additionals = view.getUint16(offset + 10);
  if (answers > MAX_ANSWERS || authorities > MAX_AUTHORITIES || additionals > MAX_ADDITIONALS) {
    return false;
  }
  const others = answers + authorities;
  const end = offset + exchange.length;
  let at = start;
  for (let i = 0; i < others + additionals; i++) {
    const nameAt = at;
    at = passName(bytes, nameAt, Math.min(end, nameAt + MAX_NAME_SIZE + 1));
    if (at < 0 || at + RECORD_FIELDS_SIZE > end) return false;
    const type = view.getUint16(at);
    const dataLength = view.getUint16(at + 8);
    const dataAt = at + RECORD_FIELDS_SIZE;
    if (dataAt + dataLength > end) return false;
    if (type === TYPE.OPT) {
      // One, additional, owned by the root (RFC 6891 section 6.1.1).
      if (i < others || exchange.edns || bytes[nameAt] !== 0) return false;
      exchange.edns = true;
      exchange.ednsSize = view.getUint16(at + 2);
      exchange.ednsVersion = bytes[at + 5]!;
      exchange.optionsAt = dataAt - exchange.offset;
      exchange.optionsLength = dataLength;
      exchange.dnssecOk = (view.getUint16(at + 6) & EDNS_DO) !== 0;
      if (dataLength > 0 && !readOptions(exchange, dataAt, dataLength)) return false;
    }
    at = dataAt + dataLength;
  }
  return true;
}

/** False unless the options fill the data exactly (RFC 6891 section 6.1.2). */
function readOptions(exchange: Exchange, start: number, length: number): boolean {
  const { bytes, view } = exchange.memory;
  const end = start + length;
  let at = start;
  while (at + 4 <= end) {
    const code = view.getUint16(at);
    const size = view.getUint16(at + 2);
    const dataAt = at + 4;
    at = dataAt + size;
    if (at > end) return false;
    if (
      code === EDNS_OPTION.CLIENT_SUBNET && exchange.ecsLength === 0 &&
      isSubnet(bytes, dataAt, size)
    ) {
      exchange.ecsAt = dataAt - exchange.offset;
      exchange.ecsLength = size;
    }
    // Loop probes' type.
    if (
      code === EDNS_OPTION.LOOP_MARK && size === LOOP_MARK_SIZE && exchange.qtype === TYPE.HINFO
    ) exchange.markAt = dataAt - exchange.offset;
  }
  return at === end;
}
