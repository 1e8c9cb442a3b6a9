/**
 * The table of a hosts file: one block of memory that is searched where it lies, so that a table of
 * any size reaches the data plane as a single transfer.
 *
 * ```
 *  head:   8 words, see `HEAD`
 *  arena:  entries, items and sets in the order in which they were made, each a multiple of 4 bytes
 *    entry:  word reference | u8 length | name in lower-case wire form
 *    item:   word next item, 0 for none | 4 or 16 bytes of address, or word of the entry that is named
 *    set:    for each kind: word first item | word last item | word count
 *  slots:  for each slot a word, the entry's place or 0
 *  tags:   for each slot a byte, taken from the hash; 0 for an empty slot
 * ```
 *
 * An entry's reference is the place of its only item, with the item's kind in the two low bits, or
 * of its set. All names of a block list that have one address share one item. Slots are probed one
 * after the other (open addressing); the tags keep most names that are not the one sought unread.
 * Words are in the order of the machine.
 */

/** What an item is: an IPv4 address, an IPv6 address, or a name (of a reverse lookup). */
export const V4 = 0;
/** See `V4`. */
export const V6 = 1;
/** See `V4`. */
export const NAMES = 2;
/** Kind of a reference to a set. */
export const SET = 3;

/** Kind of an item. */
export type ItemKind = typeof V4 | typeof V6 | typeof NAMES;

/** Bits of a reference that hold its kind. */
export const KIND_MASK = 3;

/** Words of the head. */
export const HEAD = {
  /** Slots, a power of two. */
  SLOTS: 0,
  /** Where the slots begin, in words. */
  SLOTS_AT: 1,
  /** Where the tags begin, in bytes. */
  TAGS_AT: 2,
  /** Addresses and names, for the metric. */
  ITEMS: 3,
  /** Key of the hash. */
  KEY_0: 4,
  KEY_1: 5,
  /** Names that begin with `*`. */
  WILDCARDS: 6,
} as const;

/** Bytes of the head. */
export const HEAD_SIZE = 32;
/** Bytes of an entry before its name. */
export const ENTRY_HEAD = 5;
/** Words that a set has for each kind, and of all. */
export const SET_WORDS = { FIRST: 0, LAST: 1, COUNT: 2, EACH: 3, ALL: 9 } as const;
/** Bytes of a slot and its tag. */
export const SLOT_BYTES = 5;

/** Size of an item's data. */
export function itemSize(kind: ItemKind): 4 | 16 {
  return kind === V6 ? 16 : 4;
}

/** Whether a name in wire form begins with the label `*`. */
export function isWildcard(name: Uint8Array): boolean {
  return name[0] === 1 && name[1] === 0x2a;
}

/** Tag of a hash: its high bits, since the low ones choose the slot. */
export function tagOf(hash: number): number {
  return (hash >>> 24) || 1;
}
