/*
 * An entry is a row of twelve 32-bit words, and a block in the arena:
 *
 *   0 hash        keyed hash of qname, qtype, qclass, DO and CD
 *   1 address     block in the arena; -1 in a free row
 *   2 length      bytes of the message | records << 16 | has subnet << 29 | has error << 30 |
 *                 pinned << 31
 *   3 stored      time of insertion; times are tenths of a second
 *   4 ttl         seconds
 *   5 state       qtype << 16 | refreshed << 15 | owner << 5 | uses << 3 | queue, CD, DO
 *   6 hits        queries without a gap, for prefetching
 *   7 seen        time of the last of them
 *   8 next        newer row of its queue
 *   9 previous    older row of its queue
 *  10 chain       next row of its hash bucket, or next free row
 *  11 recheck     earliest time of the next refresh
 *
 * The index adds four to eight bytes an entry, the ghost table four: at most 60 in all.
 */

/** Words of a row. */
export const HASH = 0,
  ADDRESS = 1,
  LENGTH = 2,
  STORED = 3,
  TTL = 4,
  STATE = 5,
  HITS = 6,
  SEEN = 7,
  NEXT = 8,
  PREVIOUS = 9,
  CHAIN = 10,
  RECHECK = 11;
/** Words per row. */
export const STRIDE = 12;

/** Of STATE. */
export const DO = 1,
  CD = 2,
  IN_MAIN = 4,
  USES_SHIFT = 3,
  USES = 3 << USES_SHIFT,
  OWNER_SHIFT = 5,
  /** Replaced a fresh entry. */
  REFRESHED = 1 << 15;
const OWNER = 1023 << OWNER_SHIFT;

/** Persisted bits of STATE. */
export const PERSISTED = 31;

/** Of LENGTH; `RECORDS` after a shift by 16. */
export const HAS_ECS = 1 << 29,
  HAS_ERROR = 1 << 30,
  /** Never evicted (`keep`). */
  PINNED = 1 << 31,
  RECORDS = 0x1fff;

/** Tenths: 3.4 years fit in 32 bits. */
export const CLOCK_SPAN = 2 ** 30;

/** Client bucket from STATE. */
export function ownerOf(state: number): number {
  return (state & OWNER) >>> OWNER_SHIFT;
}

/** In seconds, as in CoreDNS; zero or less after expiry. */
export function remainingOf(rows: Int32Array, row: number, now: number): number {
  return rows[row + TTL]! - (((now - rows[row + STORED]!) / 10) | 0);
}
