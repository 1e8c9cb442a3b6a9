/*
 * An entry is a row of twelve 32-bit words, beside its block in the arena:
 *
 *   0 hash        keyed hash of qname, qtype, qclass, DO and CD
 *   1 address     block in the arena: message, its ttl table, extended error, client subnet
 *   2 length      of the message in bytes | number of records << 16 | client subnet << 29 |
 *                 extended error << 30
 *   3 stored      tenths of a second of the store's clock
 *   4 ttl         seconds for which the entry is good
 *   5 state       qtype << 16 | owner << 5 | uses << 3 | queue, CD, DO
 *   6 hits        queries seen without a gap, for prefetching
 *   7 seen        tenths of a second at the last of them
 *   8 next        in its queue, towards the newer; or the next free row
 *   9 previous    in its queue, towards the older
 *  10 chain       next row of the same hash bucket
 *  11 recheck     tenths of a second before which no other refresh of the entry may begin
 *
 * The index adds four to eight bytes an entry, the ghost table four: at most 60 in all.
 */

/** Word of a row: see the layout above. */
export const HASH = 0;
/** Word of a row: the block in the arena, -1 in a free row. */
export const ADDRESS = 1;
/** Word of a row: length of the message and what lies behind it. */
export const LENGTH = 2;
/** Word of a row: when it was stored. */
export const STORED = 3;
/** Word of a row: for how long it is good. */
export const TTL = 4;
/** Word of a row: type, owner, uses and flags. */
export const STATE = 5;
/** Word of a row: queries counted for prefetching. */
export const HITS = 6;
/** Word of a row: when the last of them came. */
export const SEEN = 7;
/** Word of a row: the next newer row of its queue. */
export const NEXT = 8;
/** Word of a row: the next older row of its queue. */
export const PREVIOUS = 9;
/** Word of a row: the next row of its hash bucket. */
export const CHAIN = 10;
/** Word of a row: when the next refresh may begin. */
export const RECHECK = 11;
/** Words of a row. */
export const STRIDE = 12;

/** Bit of STATE: the DO bit of the question. */
export const DO = 1;
/** Bit of STATE: the CD bit of the question. */
export const CD = 2;
/** Bit of STATE: the row is in the main queue. */
export const IN_MAIN = 4;
/** Place of the count of uses in STATE. */
export const USES_SHIFT = 3;
/** Bits of STATE that count uses. */
export const USES = 3 << USES_SHIFT;
/** Place of the owner in STATE. */
export const OWNER_SHIFT = 5;
/** Bits of STATE that name the owner. */
const OWNER = 1023 << OWNER_SHIFT;

/** Bit of LENGTH: a client subnet lies behind the rest. */
export const HAS_ECS = 1 << 29;
/** Bit of LENGTH: an extended error lies behind the ttl table. */
export const HAS_ERROR = 1 << 30;
/** Bits of LENGTH, once shifted down by 16, that count records. */
export const RECORDS = 0x1fff;

/** Client bucket of a row, out of its STATE. */
export function ownerOf(state: number): number {
  return (state & OWNER) >>> OWNER_SHIFT;
}

/** Seconds that a row's entry is still good, counted as CoreDNS does; zero or less once expired. */
export function remainingOf(rows: Int32Array, row: number, now: number): number {
  return rows[row + TTL]! - (((now - rows[row + STORED]!) / 10) | 0);
}
