import { TYPE } from "./constants.ts";
import type { NameReader } from "./names/name_reader.ts";

/** Steps of a layout; a number from zero on is that many octets. */
const NAME = -1;
/** A length octet and as many more (RFC 1035 section 3.3). */
const STRING = -2;
/** Strings up to the end, perhaps none. */
const STRINGS = -3;
/** Windows of types, each with its length in its second octet (RFC 4034 section 4.1.2). */
const BITMAP = -4;
/** Whatever follows. */
const REST = -5;

type Layout = readonly number[];

const OPAQUE: Layout = [];

const ONE_NAME: Layout = [NAME];
const TWO_NAMES: Layout = [NAME, NAME];
const NUMBER_AND_NAME: Layout = [2, NAME];
const SIGNATURE: Layout = [18, NAME, REST];

/**
 * How the data of a record is laid out, by type; that of every other type is opaque.
 *
 * All types are here whose data may hold compressed names (RFC 3597 section 4; KX and DNAME, which
 * some servers compress as well), since only they may be read and written again. RRSIG and NSEC must
 * not be compressed, but a name in them that is must still be a good one. The others are here so
 * that what clients are sent can be parsed. A6, whose name is never compressed (RFC 2874 section
 * 3.1), is opaque.
 */
const LAYOUTS: ReadonlyMap<number, Layout> = new Map<number, Layout>([
  [TYPE.A, [4]],
  [TYPE.NS, ONE_NAME],
  [3, ONE_NAME], // MD
  [4, ONE_NAME], // MF
  [TYPE.CNAME, ONE_NAME],
  [TYPE.SOA, [NAME, NAME, 20]],
  [7, ONE_NAME], // MB
  [8, ONE_NAME], // MG
  [9, ONE_NAME], // MR
  [TYPE.PTR, ONE_NAME],
  [TYPE.HINFO, [STRING, STRING]],
  [14, TWO_NAMES], // MINFO
  [TYPE.MX, NUMBER_AND_NAME],
  // Some servers send TXT without any string, though RFC 1035 section 3.3.14 wants one.
  [TYPE.TXT, [STRINGS]],
  [17, TWO_NAMES], // RP
  [18, NUMBER_AND_NAME], // AFSDB
  [21, NUMBER_AND_NAME], // RT
  [24, SIGNATURE], // SIG
  [26, [2, NAME, NAME]], // PX
  [TYPE.AAAA, [16]],
  [30, [NAME, REST]], // NXT
  [TYPE.SRV, [6, NAME]],
  [35, [4, STRING, STRING, STRING, NAME]], // NAPTR
  [36, NUMBER_AND_NAME], // KX
  [39, ONE_NAME], // DNAME
  [TYPE.DS, [4, REST]],
  [44, [2, REST]], // SSHFP
  [TYPE.RRSIG, SIGNATURE],
  [TYPE.NSEC, [NAME, BITMAP]],
  [TYPE.DNSKEY, [4, REST]],
  [TYPE.NSEC3, [4, STRING, STRING, BITMAP]],
  [52, [3, REST]], // TLSA
  [99, [STRINGS]], // SPF
  [257, [1, STRING, REST]], // CAA
]);

/** A bit for each type with names that RFC 1035 section 3.3 defines; also MD, MF, MB, MG, MR, MINFO. */
const COMPRESSED_TYPES = [2, 3, 4, 5, 6, 7, 8, 9, 12, 14, 15]
  .reduce((bits, type) => bits | (1 << type), 0);

/** Whether the data of a record from `at` to `end` is laid out as its type wants. */
export function hasGoodData(
  bytes: Uint8Array,
  names: NameReader,
  type: number,
  at: number,
  end: number,
): boolean {
  if (type === TYPE.A) return end - at === 4;
  if (type === TYPE.AAAA) return end - at === 16;
  const layout = LAYOUTS.get(type);
  if (layout === undefined) return true;
  let next = at;
  for (let i = 0; i < layout.length; i++) {
    const step = layout[i]!;
    next = step === NAME ? names.skip(next) : stepOver(bytes, step, next, end);
    if (next < 0 || next > end) return false;
  }
  return next === end;
}

/** Takes the data of a record, in pieces, where `copyData` copies it. */
export interface DataWriter {
  /** Copies octets as they are; false without room. */
  copy(at: number, size: number): boolean;
  /** Copies a name; where it ends in the source, or -1 for a bad one or without room. */
  copyName(at: number): number;
}

/**
 * Copies the data of a record from `at` to `end`, its names apart from the rest. An options object
 * would be made for each record here.
 *
 * @returns false where it is not laid out as its type wants, or `writer` has refused
 */
export function copyData(
  bytes: Uint8Array,
  type: number,
  at: number,
  end: number,
  writer: DataWriter,
): boolean {
  const layout = LAYOUTS.get(type) ?? OPAQUE;
  let copied = at;
  let next = at;
  for (let i = 0; i < layout.length; i++) {
    const step = layout[i]!;
    if (step !== NAME) {
      next = stepOver(bytes, step, next, end);
    } else {
      if (!writer.copy(copied, next - copied)) return false;
      copied = next = writer.copyName(next);
    }
    if (next < 0 || next > end) return false;
  }
  return writer.copy(copied, end - copied);
}

/** Whether names in the data of the type may be compressed: RFC 1035 defines it (RFC 3597 4). */
export function mayCompressData(type: number): boolean {
  return type < 32 && ((COMPRESSED_TYPES >>> type) & 1) !== 0;
}

/** Where a step of a layout ends, perhaps beyond `end`. */
function stepOver(bytes: Uint8Array, step: number, at: number, end: number): number {
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
