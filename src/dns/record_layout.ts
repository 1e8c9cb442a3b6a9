import { TYPE } from "./constants.ts";
import { typeNumber } from "./mnemonics.ts";
import type { NameReader } from "./names/name_reader.ts";

/** Step of a layout: a name; a step of zero or more is that many octets. */
export const NAME = -1;
/** A length octet and its string (RFC 1035 section 3.3). */
const STRING = -2;
/** Strings up to the end, possibly none. */
const STRINGS = -3;
/** Windows of types, length in the second octet (RFC 4034 section 4.1.2). */
const BITMAP = -4;
const REST = -5;

type Layout = readonly number[];

const OPAQUE: Layout = [];

/**
 * Types with possibly compressed names: RFC 3597 section 4; KX and DNAME; RRSIG and NSEC, to check
 * compression. A6 is never compressed (RFC 2874 section 3.1). Others are checked so that clients
 * can parse them; unlisted ones are opaque.
 */
const LAYOUTS: ReadonlyMap<number, Layout> = new Map(
  ([
    ["A", 4],
    ["AAAA", 16],
    ["NS MD MF CNAME MB MG MR PTR DNAME", NAME],
    ["SOA", NAME, NAME, 20],
    ["HINFO", STRING, STRING],
    ["MINFO RP", NAME, NAME],
    ["MX AFSDB RT KX", 2, NAME],
    // Possibly none, against RFC 1035 section 3.3.14.
    ["TXT SPF", STRINGS],
    ["SIG RRSIG", 18, NAME, REST],
    ["PX", 2, NAME, NAME],
    ["NXT", NAME, REST],
    ["SRV", 6, NAME],
    ["NAPTR", 4, STRING, STRING, STRING, NAME],
    ["DS DNSKEY", 4, REST],
    ["SSHFP", 2, REST],
    ["NSEC", NAME, BITMAP],
    ["NSEC3", 4, STRING, STRING, BITMAP],
    ["TLSA", 3, REST],
    ["CAA", 1, STRING, REST],
  ] satisfies [types: string, ...Layout][]).flatMap(([types, ...layout]) =>
    types.split(" ").map((type) => [typeNumber(type)!, layout] as const)
  ),
);

/** RFC 1035 section 3.3: NS to PTR, MINFO, MX. */
const COMPRESSED_TYPES = [2, 3, 4, 5, 6, 7, 8, 9, 12, 14, 15]
  .reduce((bits, type) => bits | (1 << type), 0);

/** Layout of a type's data. */
export function layoutOf(type: number): Layout {
  return LAYOUTS.get(type) ?? OPAQUE;
}

/** [at, end) matches the type's layout. */
export function hasGoodData(names: NameReader, type: number, at: number, end: number): boolean {
  if (type === TYPE.A) return end - at === 4;
  if (type === TYPE.AAAA) return end - at === 16;
  const layout = LAYOUTS.get(type);
  if (layout === undefined) return true;
  let next = at;
  for (let i = 0; i < layout.length; i++) {
    const step = layout[i]!;
    next = step === NAME ? names.skip(next) : stepOver(names.bytes, step, next, end);
    if (next < 0 || next > end) return false;
  }
  return next === end;
}

/** RFC 3597 section 4. */
export function mayCompressData(type: number): boolean {
  return type < 32 && ((COMPRESSED_TYPES >>> type) & 1) !== 0;
}

/** End of a step except `NAME`, possibly beyond `end`. */
export function stepOver(bytes: Uint8Array, step: number, at: number, end: number): number {
  let next = at;
  switch (step) {
    case STRING:
      return at < end ? at + 1 + bytes[at]! : end + 1;
    case STRINGS:
      while (next < end) next += bytes[next]! + 1;
      return next;
    case BITMAP:
      while (next + 1 < end) next += bytes[next + 1]! + 2;
      return next;
    case REST:
      return end;
    default:
      return at + step;
  }
}
