import { HEADER_SIZE, RCODE, TYPE } from "../../dns/constants.ts";
import { isSameName, isWithin, resolveName as resolve } from "../../dns/names/walk.ts";
import type { Response } from "./response.ts";

/*
 * Cuts a response that is too large for its client. Records go from the end, because
 * compression pointers lead backwards.
 *
 * Of the authority and additional sections whole RRsets go, with their signatures (RFC 2181 section
 * 9). Of the answer section the records stay that fit: stub resolvers without TCP (musl before 1.2.4)
 * live on those, and whoever has TCP asks again.
 */

/**
 * Names that are compared for one response, octet by octet. Equal names of a compressed message lie
 * at one place, so few are; an upstream may send hundreds of long ones, and each hit pays.
 */
const MAX_COMPARISONS = 16;

/** How many records from the start are left of a response with `room` octets for it. */
export function countKept(response: Response, room: number): number {
  const total = response.ttlCount;
  let kept = 0;
  while (kept < total && endOfRecord(response, kept + 1) <= room) kept++;
  const answers = response.answerCount;
  if (kept === total || kept <= answers) return kept;
  const additional = answers + response.authorityCount;
  const sectionAt = kept < additional ? answers : additional;
  const first = kept;
  const { memory: { bytes }, offset } = response;
  const owner = ownerOf(response, first);
  let comparisons = 0;
  for (; kept > sectionAt && setType(response, kept - 1) === setType(response, first); kept--) {
    const other = ownerOf(response, kept - 1);
    if (resolve(bytes, offset, owner) === resolve(bytes, offset, other)) continue;
    if (++comparisons <= MAX_COMPARISONS && !isSameName(bytes, offset, owner, other)) break;
  }
  return kept;
}

/**
 * Whether a response cut to so many records lacks any that it must have, so that TC is due (RFC 2181
 * section 9).
 *
 * Those are its answers; a denial's SOA and proofs; a referral's name servers and the addresses of
 * those within the zone that it leads to (RFC 9471 section 3). The name servers that stand beside an
 * answer are none: unbound leaves them out of every one (`minimal-responses`).
 */
export function isIncomplete(response: Response, kept: number): boolean {
  const answers = response.answerCount;
  if (kept < answers) return true;
  const additional = Math.min(answers + response.authorityCount, response.ttlCount);
  for (let i = kept; i < additional; i++) {
    if (answers === 0 || setType(response, i) !== TYPE.NS) return true;
  }
  const zone = answers === 0 ? zoneOfReferral(response) : -1;
  if (zone < 0) return false;
  const { memory: { bytes }, offset } = response;
  let comparisons = 0;
  for (let i = Math.max(kept, additional); i < response.ttlCount; i++) {
    const type = setType(response, i);
    if (type !== TYPE.A && type !== TYPE.AAAA) continue;
    // For the addresses of other zones TC may be set as well (RFC 9471 section 3.2).
    if (++comparisons > MAX_COMPARISONS) return true;
    if (isWithin(bytes, offset, ownerOf(response, i), zone)) return true;
  }
  return false;
}

/** Where the first `count` records end, from the start of the message; the question's end for none. */
export function endOfRecord({ memory, offset, ttlsAt }: Response, count: number): number {
  const { bytes, view } = memory;
  if (count === 0) {
    let at = HEADER_SIZE;
    // A failure of a query that could not be read has no question.
    if (view.getUint16(offset + 4) === 0) return at;
    while (bytes[offset + at] !== 0) at += bytes[offset + at]! + 1;
    return at + 5;
  }
  const ttlAt = view.getUint16(ttlsAt + 2 * (count - 1), true);
  return ttlAt + 6 + view.getUint16(offset + ttlAt + 4);
}

/** Place in memory of a record's owner. */
function ownerOf(response: Response, record: number): number {
  return response.offset + endOfRecord(response, record);
}

/** Place in memory of the zone that a referral leads to, or -1 for anything but a referral. */
function zoneOfReferral(response: Response): number {
  const authorities = Math.min(response.authorityCount, response.ttlCount);
  let zone = -1;
  if (response.rcode !== RCODE.NOERROR) return zone;
  for (let i = 0; i < authorities; i++) {
    const type = setType(response, i);
    if (type === TYPE.SOA) return -1;
    if (type === TYPE.NS) zone = ownerOf(response, i);
  }
  return zone;
}

/** Type of the RRset that a record is in or, for a signature, that it covers. */
function setType({ memory, offset, ttlsAt }: Response, record: number): number {
  const { view } = memory;
  const ttlAt = offset + view.getUint16(ttlsAt + 2 * record, true);
  const type = view.getUint16(ttlAt - 4);
  return type === TYPE.RRSIG ? view.getUint16(ttlAt + 6) : type;
}
