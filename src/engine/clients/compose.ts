import {
  EDNS_DO,
  EDNS_OPTION,
  FLAG,
  HEADER_SIZE,
  MIN_UDP_PAYLOAD,
  OPT_SIZE,
  RCODE,
  TYPE,
} from "../../dns/constants.ts";
import { SUBNET } from "../../dns/client_subnet.ts";
import { KIND } from "../../dns/response_scan.ts";
import type { Exchange } from "../exchange/exchange.ts";
import { copyWords, type Memory } from "../memory.ts";
import { countKept, cutCounts, endOfRecord, isIncomplete } from "../response/cut.ts";
import type { Response } from "../response/response.ts";

const OPTION_HEADER_SIZE = 4;
/** Extended DNS Error without text (RFC 8914 section 2). */
const EDE_SIZE = OPTION_HEADER_SIZE + 2;

const KEPT = FLAG.QR | FLAG.AA | FLAG.TC | FLAG.AD | FLAG.RCODE;

/**
 * Writes the client's copy of the response: id, flags, case, TTLs, OPT; cut and reordered.
 * @param out - has room for `limit` + 7 bytes at `outOffset`, a multiple of eight
 */
export function compose(exchange: Exchange, out: Memory, outOffset: number, limit: number): number {
  const { view } = out;
  const response = exchange.response!;
  const optSize = exchange.edns ? sizeOfOpt(exchange, response) : 0;
  let textSize = exchange.edns && hasOtherError(exchange, response) ? response.errorText.length : 0;
  let length = response.length;
  let ttlCount = response.ttlCount;
  // Drop the text before any record.
  if (length + optSize + textSize > limit) textSize = 0;
  if (length + optSize <= limit) {
    copyWords(response.memory, response.offset, out, outOffset, length);
  } else {
    ttlCount = countKept(response, limit - optSize);
    length = endOfRecord(response, ttlCount);
    copyWords(response.memory, response.offset, out, outOffset, length);
    cutCounts(view, outOffset, ttlCount);
    if (isIncomplete(response, ttlCount)) setTruncated(view, outOffset);
  }

  view.setUint16(outOffset, exchange.id);
  const kept = view.getUint16(outOffset + 2) & KEPT;
  view.setUint16(outOffset + 2, flagsFor(exchange, response, kept));

  // Uncached names may be in another client's case.
  if (exchange.mixedCase || !response.cached) {
    const from = exchange.memory.bytes;
    const to = out.bytes;
    let source = exchange.offset + HEADER_SIZE;
    let target = outOffset + HEADER_SIZE;
    for (const end = source + exchange.qnameLength; source < end;) to[target++] = from[source++]!;
  }

  if (response.ttlSeconds >= 0) {
    const table = response.memory.view;
    for (let i = 0, at = response.ttlsAt; i < ttlCount; i++, at += 2) {
      view.setUint32(outOffset + table.getUint16(at, true), response.ttlSeconds);
    }
  }
  exchange.chain.recordOrder?.arrange(exchange, out, outOffset);
  if (optSize === 0) return length;
  writeOpt(exchange, response, out, outOffset + length, textSize);
  view.setUint16(outOffset + 10, view.getUint16(outOffset + 10) + 1);
  return length + optSize + textSize;
}

/** TC and only OPT, never larger than the query. */
export function composeTruncated(exchange: Exchange, out: Memory, outOffset: number): number {
  const { extendedError, nsid } = exchange;
  const response = exchange.response!;
  const { extendedError: otherError } = response;
  exchange.extendedError = response.extendedError = -1;
  exchange.nsid = null;
  const length = compose(exchange, out, outOffset, 0);
  exchange.extendedError = extendedError;
  exchange.nsid = nsid;
  response.extendedError = otherError;
  setTruncated(out.view, outOffset);
  return length;
}

/** Client's UDP limit (RFC 6891 section 6.2.3). */
export function limitOf({ ednsSize, maxUdpSize }: Exchange): number {
  return Math.max(MIN_UDP_PAYLOAD, Math.min(ednsSize, maxUdpSize));
}

/** `kept`: bits of the response. */
function flagsFor(exchange: Exchange, response: Response, kept: number): number {
  const { chain } = exchange;
  // Errors also copy RD and CD, as in unbound and CoreDNS.
  let flags = kept | (exchange.flags & (FLAG.RD | FLAG.CD));
  // Without RA, clients try their next server.
  if (chain.recursive && response.kind !== KIND.LAME) flags |= FLAG.RA;
  flags = (flags | chain.flagsSet) & ~chain.flagsCleared;
  // AD only if requested (RFC 6840 section 5.8).
  if (!exchange.dnssecOk && (exchange.flags & FLAG.AD) === 0) flags &= ~FLAG.AD;
  if (response.extendedRcode !== 0 && !exchange.edns) {
    flags = (flags & ~FLAG.RCODE) | RCODE.SERVFAIL;
  }
  return flags;
}

function sizeOfOpt(exchange: Exchange, response: Response): number {
  let size = OPT_SIZE;
  if (exchange.extendedError >= 0) size += EDE_SIZE;
  if (hasOtherError(exchange, response)) size += EDE_SIZE;
  if (hasSubnet(exchange, response)) size += OPTION_HEADER_SIZE + exchange.ecsLength;
  if (exchange.nsid !== null) size += OPTION_HEADER_SIZE + exchange.nsid.length;
  return size;
}

function writeOpt(
  exchange: Exchange,
  response: Response,
  out: Memory,
  at: number,
  textSize: number,
): void {
  const { view } = out;
  const { memory, ecsLength, nsid } = exchange;
  view.setUint8(at, 0);
  view.setUint16(at + 1, TYPE.OPT);
  view.setUint16(at + 3, exchange.payloadSize);
  view.setUint8(at + 5, response.extendedRcode);
  view.setUint8(at + 6, 0);
  view.setUint16(at + 7, exchange.dnssecOk ? EDNS_DO : 0);
  view.setUint16(at + 9, sizeOfOpt(exchange, response) + textSize - OPT_SIZE);
  let end = at + OPT_SIZE;
  if (exchange.extendedError >= 0) {
    end = writeHeader(view, end, EDNS_OPTION.EXTENDED_ERROR, 2);
    view.setUint16(end, exchange.extendedError);
    end += 2;
  }
  if (hasOtherError(exchange, response)) {
    end = writeHeader(view, end, EDNS_OPTION.EXTENDED_ERROR, 2 + textSize);
    view.setUint16(end, response.extendedError);
    end = writeBytes(out, end + 2, response.errorText.bytes, 0, textSize);
  }
  if (hasSubnet(exchange, response)) {
    // The answer's scope (RFC 7871 section 7.2.1).
    const dataAt = writeHeader(view, end, EDNS_OPTION.CLIENT_SUBNET, ecsLength);
    end = writeBytes(out, dataAt, memory.bytes, exchange.offset + exchange.ecsAt, ecsLength);
    view.setUint8(dataAt + SUBNET.SCOPE, response.ecsScope);
  }
  if (nsid !== null) {
    end = writeHeader(view, end, EDNS_OPTION.NSID, nsid.length);
    writeBytes(out, end, nsid, 0, nsid.length);
  }
}

function writeHeader(view: DataView, at: number, code: number, size: number): number {
  view.setUint16(at, code);
  view.setUint16(at + 2, size);
  return at + OPTION_HEADER_SIZE;
}

function writeBytes(
  { bytes }: Memory,
  at: number,
  from: Uint8Array,
  fromAt: number,
  size: number,
): number {
  for (let i = 0; i < size; i++) bytes[at + i] = from[fromAt + i]!;
  return at + size;
}

function hasOtherError(exchange: Exchange, response: Response): boolean {
  return response.extendedError >= 0 && response.extendedError !== exchange.extendedError;
}

function hasSubnet(exchange: Exchange, response: Response): boolean {
  return response.ecsScope >= 0 && exchange.ecsLength > 0;
}

function setTruncated(view: DataView, start: number): void {
  view.setUint16(start + 2, view.getUint16(start + 2) | FLAG.TC);
}
