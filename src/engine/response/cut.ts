import { HEADER_SIZE, RCODE, TYPE } from "../../dns/constants.ts";
import { isSameName, isWithin, passName, resolveName } from "../../dns/names/walk.ts";
import type { Response } from "./response.ts";

/*
 * Cuts oversized responses from the end, since compression pointers lead backwards. Authority and
 * additional lose whole RRsets (RFC 2181 section 9); the answer section keeps all that fits, for
 * stub resolvers without TCP (musl before 1.2.4).
 */

/** Per response. Compressed equal names are one; hundreds of others would slow every hit. */
const MAX_COMPARISONS = 16;

/** Leading records that fit into `room` octets. */
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
    if (resolveName(bytes, offset, owner) === resolveName(bytes, offset, other)) continue;
    if (++comparisons <= MAX_COMPARISONS && !isSameName(bytes, offset, owner, other)) break;
  }
  return kept;
}

/**
 * Whether a cut needs TC (RFC 2181 section 9): it lacks answers; a denial's SOA or proofs; a
 * referral's name servers or addresses within the zone (RFC 9471 section 3). Name servers beside an
 * answer are optional (unbound's `minimal-responses`).
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
    // TC is also allowed for other zones' addresses (RFC 9471 section 3.2).
    if (++comparisons > MAX_COMPARISONS) return true;
    if (isWithin(bytes, offset, ownerOf(response, i), zone)) return true;
  }
  return false;
}

/** Sets a message's counts to its first `kept` records. */
export function cutCounts(view: DataView, start: number, kept: number): void {
  const answers = Math.min(view.getUint16(start + 6), kept);
  const authorities = Math.min(view.getUint16(start + 8), kept - answers);
  view.setUint16(start + 6, answers);
  view.setUint16(start + 8, authorities);
  view.setUint16(start + 10, kept - answers - authorities);
}

/** End of `count` records; of the question for 0. */
export function endOfRecord({ memory, offset, ttlsAt }: Response, count: number): number {
  const { bytes, view } = memory;
  if (count === 0) {
    // Failures may lack the question.
    if (view.getUint16(offset + 4) === 0) return HEADER_SIZE;
    return passName(bytes, offset + HEADER_SIZE, bytes.length) + 4 - offset;
  }
  const ttlAt = view.getUint16(ttlsAt + 2 * (count - 1), true);
  return ttlAt + 6 + view.getUint16(offset + ttlAt + 4);
}

function ownerOf(response: Response, record: number): number {
  return response.offset + endOfRecord(response, record);
}

/** A referral's zone, or -1. */
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

/** A signature's covered type. */
function setType({ memory, offset, ttlsAt }: Response, record: number): number {
  const { view } = memory;
  const ttlAt = offset + view.getUint16(ttlsAt + 2 * record, true);
  const type = view.getUint16(ttlAt - 4);
  return type === TYPE.RRSIG ? view.getUint16(ttlAt + 6) : type;
}
