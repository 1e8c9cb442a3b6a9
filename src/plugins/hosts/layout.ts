/**
 * A hosts file's table: one block, searched in place and transferred at once, in native byte order.
 *
 * ```
 *  head:   8 words, see `HEAD`
 *  arena:  entries, items and sets in order of creation, each a multiple of 4 bytes
 *    entry:  word reference | u8 length | name in lower-case wire form
 *    item:   word next item, 0 for none | 4 or 16 bytes of address, or word with the named entry
 *    set:    for each kind: word first item | word last item | word count
 *  slots:  a word for each slot: the entry's offset or 0
 *  tags:   a byte for each slot, from the hash; 0 for an empty slot
 * ```
 *
 * A reference is the offset of the only item, with its kind in the two low bits, or of the set. All
 * names of a block list share one item. Tags avoid reading names that do not match.
 */

/** Kinds of a reference: to an IPv4 or IPv6 address, a name (of a reverse lookup), or a set. */
export const V4 = 0, V6 = 1, NAMES = 2, SET = 3;

/** Kind of an item. */
export type ItemKind = typeof V4 | typeof V6 | typeof NAMES;

/** Bits of a reference's kind. */
export const KIND_MASK = 3;

/** Words of the head. */
export const HEAD = {
  SLOTS: 0,
  SLOTS_AT: 1,
  TAGS_AT: 2,
  /** For the metric. */
  ITEMS: 3,
  KEY_0: 4,
  KEY_1: 5,
  WILDCARDS: 6,
} as const;

/** In bytes. */
export const HEAD_SIZE = 32;
/** Bytes before the name. */
export const ENTRY_HEAD = 5;
/** Words: `EACH` per kind, `ALL` in total. */
export const SET_WORDS = { FIRST: 0, LAST: 1, COUNT: 2, EACH: 3, ALL: 9 } as const;
/** With its tag. */
export const SLOT_BYTES = 5;

/** In bytes. */
export function itemSize(kind: ItemKind): 4 | 16 {
  return kind === V6 ? 16 : 4;
}

/** Begins with `*`. */
export function isWildcard(name: Uint8Array): boolean {
  return name[0] === 1 && name[1] === 0x2a;
}
