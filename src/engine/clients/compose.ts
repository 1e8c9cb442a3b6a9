import {
  EDNS_DO,
  EDNS_OPTION,
  FLAG,
  HEADER_SIZE,
  MIN_UDP_PAYLOAD,
  RCODE,
} from "../../dns/constants.ts";
import { countKept, endOfRecord, isIncomplete } from "../response/cut.ts";
import { KIND } from "../../dns/response_scan.ts";
import type { Exchange } from "../exchange/exchange.ts";
import { copyWords, type Memory } from "../memory.ts";
import type { Response } from "../response/response.ts";

/** Size of an OPT record without options: root name, type, class, TTL, data length. */
const OPT_SIZE = 11;
/** Size of an Extended DNS Error option without text (RFC 8914 section 2). */
const EDE_SIZE = 6;
/** Code and length in front of an option's data. */
const OPTION_HEADER_SIZE = 4;

/** Bits of a response's header that come from the response itself. */
const KEPT = FLAG.QR | FLAG.AA | FLAG.TC | FLAG.AD | FLAG.RCODE;

/**
 * Writes the exchange's response for its client: id, flags, the client's own spelling of the name,
 * ageing TTLs, and the OPT record that this client gets. Allocates nothing.
 *
 * Records go out in the order in which they are stored. An order of each client's own (addresses that
 * rotate) belongs here, where the client's copy is patched, because the stored message is everybody's.
 *
 * Records that do not fit are left out from the end, and TC is set if the client needs them
 * (`response/cut.ts`).
 *
 * @param out - has room for `limit` bytes and seven more at `outOffset`, a multiple of eight
 * @param limit - most bytes that the client can take, at least 512
 * @returns length of the message in bytes
 */
export function compose(
  exchange: Exchange,
  response: Response,
  out: Memory,
  outOffset: number,
  limit: number,
): number {
  const { view } = out;
  let optSize = 0;
  let textSize = 0;
  if (exchange.edns) {
    optSize = OPT_SIZE;
    if (exchange.extendedError >= 0) optSize += EDE_SIZE;
    if (hasOtherError(exchange, response)) {
      optSize += EDE_SIZE;
      textSize = response.errorText.length;
    }
    if (exchange.nsid !== null) optSize += OPTION_HEADER_SIZE + exchange.nsid.length;
    if (hasSubnet(exchange, response)) optSize += OPTION_HEADER_SIZE + exchange.ecsLength;
  }
  let length = response.length;
  let ttlCount = response.ttlCount;
  // A text is worth no record: it goes first.
  if (length + optSize + textSize > limit) textSize = 0;
  if (length + optSize <= limit) {
    copyWords(response.memory, response.offset, out, outOffset, length);
  } else {
    ttlCount = countKept(response, limit - optSize);
    length = endOfRecord(response, ttlCount);
    copyWords(response.memory, response.offset, out, outOffset, length);
    cutCounts(view, outOffset, ttlCount);
    if (isIncomplete(response, ttlCount)) {
      view.setUint16(outOffset + 2, view.getUint16(outOffset + 2) | FLAG.TC);
    }
  }

  view.setUint16(outOffset, exchange.id);
  let flags = view.getUint16(outOffset + 2) & KEPT;
  // Both are the client's in errors too, as unbound and CoreDNS have it.
  flags |= exchange.flags & (FLAG.RD | FLAG.CD);
  // Clients pass over answers without RA. Where nobody recurses it must stay clear, so that they go
  // on to their next server.
  if (exchange.chain.recursive && response.kind !== KIND.LAME) flags |= FLAG.RA;
  flags = (flags | exchange.chain.flagsSet) & ~exchange.chain.flagsCleared;
  // AD only for a client that asked for it (RFC 6840 section 5.8).
  if (!exchange.dnssecOk && (exchange.flags & FLAG.AD) === 0) flags &= ~FLAG.AD;
  if (response.extendedRcode !== 0 && !exchange.edns) {
    flags = (flags & ~FLAG.RCODE) | RCODE.SERVFAIL;
  }
  view.setUint16(outOffset + 2, flags);

  // A cache keeps names in lower case; every other response may be spelled as somebody else asked.
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
  return optSize === 0
    ? length
    : length + writeOpt(exchange, response, out, outOffset, outOffset + length, textSize);
}

/**
 * As `compose`, with no record but OPT, with TC set, and no larger than the query: no options but a
 * client subnet that the client sent itself.
 */
export function composeTruncated(
  exchange: Exchange,
  response: Response,
  out: Memory,
  outOffset: number,
): number {
  const { extendedError, nsid } = exchange;
  const { extendedError: otherError } = response;
  exchange.extendedError = response.extendedError = -1;
  exchange.nsid = null;
  const length = compose(exchange, response, out, outOffset, 0);
  exchange.extendedError = extendedError;
  exchange.nsid = nsid;
  response.extendedError = otherError;
  out.view.setUint16(outOffset + 2, out.view.getUint16(outOffset + 2) | FLAG.TC);
  return length;
}

/** Appends the OPT record and counts it; returns its size. `textSize` is of the error from elsewhere. */
function writeOpt(
  exchange: Exchange,
  response: Response,
  out: Memory,
  start: number,
  at: number,
  textSize: number,
): number {
  const { view } = out;
  view.setUint8(at, 0);
  view.setUint16(at + 1, 41);
  view.setUint16(at + 3, exchange.payloadSize);
  view.setUint8(at + 5, response.extendedRcode);
  view.setUint8(at + 6, 0);
  view.setUint16(at + 7, exchange.dnssecOk ? EDNS_DO : 0);
  view.setUint16(start + 10, view.getUint16(start + 10) + 1);
  let end = at + OPT_SIZE;
  if (exchange.extendedError >= 0) end = writeError(exchange.extendedError, view, end, 0);
  if (hasOtherError(exchange, response)) {
    const { bytes } = response.errorText;
    const textAt = writeError(response.extendedError, view, end, textSize);
    for (let i = 0; i < textSize; i++) out.bytes[textAt + i] = bytes[i]!;
    end = textAt + textSize;
  }
  if (hasSubnet(exchange, response)) {
    // The client's own subnet comes back with the scope that the answer is for (RFC 7871 7.2.1).
    const { ecsLength } = exchange;
    const from = exchange.memory.view;
    const source = exchange.offset + exchange.ecsAt;
    view.setUint16(end, EDNS_OPTION.CLIENT_SUBNET);
    view.setUint16(end + 2, ecsLength);
    for (let i = 0; i < ecsLength; i++) view.setUint8(end + 4 + i, from.getUint8(source + i));
    view.setUint8(end + 4 + 3, response.ecsScope);
    end += 4 + ecsLength;
  }
  if (exchange.nsid !== null) end = writeNsid(exchange.nsid, out, end);
  view.setUint16(at + 9, end - at - OPT_SIZE);
  return end - at;
}

/** Whether the response came with an error that nodens does not tell of itself. */
function hasOtherError(exchange: Exchange, response: Response): boolean {
  return response.extendedError >= 0 && response.extendedError !== exchange.extendedError;
}

/** Appends an Extended DNS Error option; returns where its text of `textSize` octets belongs. */
function writeError(code: number, view: DataView, at: number, textSize: number): number {
  view.setUint16(at, EDNS_OPTION.EXTENDED_ERROR);
  view.setUint16(at + 2, 2 + textSize);
  view.setUint16(at + 4, code);
  return at + EDE_SIZE;
}

/** Whether the answer is for the client's subnet rather than for anybody. */
function hasSubnet(exchange: Exchange, response: Response): boolean {
  return response.ecsScope >= 0 && exchange.ecsLength > 0;
}

/** Appends an NSID option (RFC 5001 section 2.3); returns where it ends. */
function writeNsid(nsid: Uint8Array, { bytes, view }: Memory, at: number): number {
  const { length } = nsid;
  view.setUint16(at, EDNS_OPTION.NSID);
  view.setUint16(at + 2, length);
  const to = at + OPTION_HEADER_SIZE;
  for (let i = 0; i < length; i++) bytes[to + i] = nsid[i]!;
  return to + length;
}

/** Lowers the section counts to `kept` records in all. */
function cutCounts(view: DataView, start: number, kept: number): void {
  const answers = view.getUint16(start + 6);
  const authorities = view.getUint16(start + 8);
  const keptAnswers = Math.min(answers, kept);
  const keptAuthorities = Math.min(authorities, kept - keptAnswers);
  view.setUint16(start + 6, keptAnswers);
  view.setUint16(start + 8, keptAuthorities);
  view.setUint16(start + 10, kept - keptAnswers - keptAuthorities);
}

/** Largest UDP response for the exchange's client (RFC 6891 section 6.2.3). */
export function limitOf({ ednsSize, maxUdpSize }: Exchange): number {
  return ednsSize <= MIN_UDP_PAYLOAD
    ? MIN_UDP_PAYLOAD
    : ednsSize < maxUdpSize
    ? ednsSize
    : maxUdpSize;
}
