import { HEADER_SIZE } from "../../dns/constants.ts";
import { upperMask } from "../../engine/hash.ts";
import { copyWords, type Memory } from "../../engine/memory.ts";
import type { Response } from "../../engine/response.ts";
import { Arena, offsetOf } from "./arena.ts";
import type { EntryState } from "./entry_state.ts";

/** What a store must know of a question; `Exchange` has it all. */
export interface Question {
  readonly memory: Memory;
  readonly offset: number;
  readonly qnameLength: number;
  readonly qtype: number;
  readonly hash: number;
  readonly dnssecOk: boolean;
  readonly checkingDisabled: boolean;
}

/*
 * An entry is a row of eleven 32-bit words, beside its block in the arena:
 *
 *   0 hash        seeded hash of qname, qtype, DO and CD
 *   1 address     block in the arena: message, then its ttl table
 *   2 length      of the message in bytes | number of records << 16
 *   3 stored      tenths of a second of the store's clock
 *   4 ttl         seconds for which the entry is good
 *   5 state       qtype << 16 | DO, CD, queue, refreshing, uses
 *   6 hits        queries seen without a gap, for prefetching
 *   7 seen        tenths of a second at the last of them
 *   8 next        in its queue, towards the newer; or the next free row
 *   9 previous    in its queue, towards the older
 *  10 chain       next row of the same hash bucket
 *
 * The index adds four to eight bytes an entry, the ghost table four: at most 56 in all.
 */
const HASH = 0;
const ADDRESS = 1;
const LENGTH = 2;
const STORED = 3;
const TTL = 4;
const STATE = 5;
const HITS = 6;
const SEEN = 7;
const NEXT = 8;
const PREVIOUS = 9;
const CHAIN = 10;
const STRIDE = 11;

const DO = 1;
const CD = 2;
const IN_MAIN = 4;
const REFRESHING = 8;
const USES_SHIFT = 4;
const USES = 3 << USES_SHIFT;

/** Rows reserved at once; only beyond this does the table move to grow. */
const FIRST_ROWS = 1 << 20;
/** Share of the capacity that new entries may take before they have proved themselves. */
const SMALL_SHARE = 0.1;
/** Rows looked at for expired entries at every insertion, and before a live one has to go. */
const SWEEP = { always: 4, full: 64 } as const;
/** Longest hash bucket: nobody can make look-ups slow, whatever names he asks for. */
const MAX_BUCKET = 24;

/**
 * Cached responses of one class, kept by S3-FIFO (Yang et al., SOSP 2023), which
 * `bench/eviction.ts` chose: new entries pass through a small queue and only those asked for again
 * reach the main one, so a scan of names never to be seen again pushes out nothing of use. Expired
 * entries go first.
 *
 * Times are tenths of a second on a clock of the caller's that starts near zero.
 */
export class Store {
  /** Distance from one row to the next. */
  static readonly rowSize = STRIDE;
  readonly #capacity: number;
  readonly #arena = new Arena();
  #rows: Int32Array;
  #rowCount = 0;
  #freeRow = -1;
  #buckets = new Int32Array(64).fill(-1);
  #ghosts: Uint32Array | null = null;
  readonly #small = { oldest: -1, newest: -1, size: 0 };
  readonly #main = { oldest: -1, newest: -1, size: 0 };
  #sweepAt = 0;
  #size = 0;
  #evictions = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
    // Pages of a large array that nobody has touched take no memory.
    this.#rows = new Int32Array(Math.min(capacity, FIRST_ROWS) * STRIDE);
  }

  /** Entries, expired ones that nobody has come across yet included. */
  get size(): number {
    return this.#size;
  }

  /** Entries that had to go before they expired. */
  get evictions(): number {
    return this.#evictions;
  }

  /** Bytes that messages take. */
  get arenaBytes(): number {
    return this.#arena.sizeBytes;
  }

  /** Bytes that the tables beside the messages take. */
  get tableBytes(): number {
    return this.#rows.byteLength + this.#buckets.byteLength + (this.#ghosts?.byteLength ?? 0);
  }

  /** Row of the entry for this question, expired or not, or -1. */
  find(question: Question): number {
    const rows = this.#rows;
    const hash = question.hash | 0;
    let row = this.#buckets[hash & (this.#buckets.length - 1)]!;
    for (; row >= 0; row = rows[row + CHAIN]!) {
      if (rows[row + HASH] === hash && this.#matches(row, question)) return row;
    }
    return -1;
  }

  /** Marks an entry as asked for, which is what keeps it. */
  touch(row: number): void {
    const state = this.#rows[row + STATE]!;
    if ((state & USES) !== USES) this.#rows[row + STATE] = state + (1 << USES_SHIFT);
  }

  /** Tenths of a second at which an entry was stored. */
  storedAt(row: number): number {
    return this.#rows[row + STORED]!;
  }

  /** Seconds for which an entry was good when it was stored. */
  ttlOf(row: number): number {
    return this.#rows[row + TTL]!;
  }

  /** Seconds that an entry is still good, counted as CoreDNS does; zero or less once expired. */
  remaining(row: number, now: number): number {
    const rows = this.#rows;
    return rows[row + TTL]! - (((now - rows[row + STORED]!) / 10) | 0);
  }

  /**
   * Counts a query for the entry as prefetching does: a gap of `gap` or more starts again at one.
   *
   * @returns queries seen without such a gap
   */
  count(row: number, now: number, gap: number): number {
    const rows = this.#rows;
    const hits = now - rows[row + SEEN]! >= gap ? 1 : rows[row + HITS]! + 1;
    rows[row + HITS] = hits;
    rows[row + SEEN] = now;
    return hits;
  }

  /** Claims the one refresh that an entry may have in its life; false where it has had it. */
  beginRefresh(row: number): boolean {
    const state = this.#rows[row + STATE]!;
    if ((state & REFRESHING) !== 0) return false;
    this.#rows[row + STATE] = state | REFRESHING;
    return true;
  }

  /** Points `response` at an entry's message. */
  read(row: number, response: Response): void {
    const rows = this.#rows;
    const address = rows[row + ADDRESS]!;
    const lengths = rows[row + LENGTH]!;
    response.memory = this.#arena.memory(address >>> 0);
    response.offset = offsetOf(address);
    response.length = lengths & 0xffff;
    response.ttlsAt = response.offset + ((response.length + 1) & ~1);
    response.ttlCount = lengths >>> 16;
  }

  /**
   * Stores a response; an older one for the same question goes, its count of queries stays.
   *
   * @param flags - header word to store with the message
   * @param ttlSeconds - how long it is good, at least 1
   * @returns the row, good until the next insertion
   */
  insert(
    question: Question,
    response: Response,
    flags: number,
    ttlSeconds: number,
    now: number,
  ): number {
    this.#sweep(now, SWEEP.always);
    let hits = 0;
    let seen = now;
    const old = this.find(question);
    let uses = 0;
    let main = false;
    if (old >= 0) {
      hits = this.#rows[old + HITS]!;
      seen = this.#rows[old + SEEN]!;
      uses = this.#rows[old + STATE]! & USES;
      main = (this.#rows[old + STATE]! & IN_MAIN) !== 0;
      this.remove(old);
    } else {
      if (this.#size >= this.#capacity) this.#sweep(now, SWEEP.full);
      while (this.#size >= this.#capacity) this.#evict(now);
      main = this.#wasGhost(question.hash);
    }

    const { length, ttlCount } = response;
    const tableAt = (length + 1) & ~1;
    const address = this.#arena.allocate(tableAt + 2 * ttlCount);
    const memory = this.#arena.memory(address);
    const offset = offsetOf(address);
    // Blocks are multiples of eight, so the slack of the copy stays inside.
    copyWords(response.memory, response.offset, memory, offset, length);
    const { bytes, view } = memory;
    view.setUint16(offset, 0);
    view.setUint16(offset + 2, flags);
    for (let i = 0; i < ttlCount; i++) {
      const at = response.memory.view.getUint16(response.ttlsAt + 2 * i, true);
      view.setUint16(offset + tableAt + 2 * i, at, true);
    }
    const nameAt = offset + HEADER_SIZE;
    const from = question.memory.bytes;
    const fromAt = question.offset + HEADER_SIZE;
    for (let i = 0; i < question.qnameLength; i++) {
      const octet = from[fromAt + i]!;
      bytes[nameAt + i] = octet | upperMask(octet);
    }

    this.#makeRoomInBucket(question.hash);
    const row = this.#takeRow();
    const rows = this.#rows;
    rows[row + HASH] = question.hash | 0;
    rows[row + ADDRESS] = address;
    rows[row + LENGTH] = length | (ttlCount << 16);
    rows[row + STORED] = now;
    rows[row + TTL] = ttlSeconds;
    rows[row + STATE] = (question.qtype << 16) | (question.dnssecOk ? DO : 0) |
      (question.checkingDisabled ? CD : 0) | uses | (main ? IN_MAIN : 0);
    rows[row + HITS] = hits;
    rows[row + SEEN] = seen;
    this.#link(row);
    const bucket = question.hash & (this.#buckets.length - 1);
    rows[row + CHAIN] = this.#buckets[bucket]!;
    this.#buckets[bucket] = row;
    this.#size++;
    return row;
  }

  /** Where the rows end: every entry is at a multiple of `rowSize` below. */
  get endRow(): number {
    return this.#rowCount * STRIDE;
  }

  /** Tells what there is to know of a row; false where it holds no entry. */
  describe(row: number, into: EntryState): boolean {
    const rows = this.#rows;
    if (rows[row + ADDRESS] === -1) return false;
    const state = rows[row + STATE]!;
    into.storedAt = rows[row + STORED]!;
    into.ttlSeconds = rows[row + TTL]!;
    into.dnssecOk = (state & DO) !== 0;
    into.checkingDisabled = (state & CD) !== 0;
    into.main = (state & IN_MAIN) !== 0;
    into.uses = (state & USES) >> USES_SHIFT;
    into.hits = rows[row + HITS]!;
    return true;
  }

  /** Gives an entry just inserted the age and the standing that it had elsewhere. */
  restore(row: number, { storedAt, hits, main, uses }: EntryState): void {
    this.#unlink(row);
    const rows = this.#rows;
    const state = rows[row + STATE]! & ~(IN_MAIN | USES);
    rows[row + STATE] = state | (main ? IN_MAIN : 0) | (uses << USES_SHIFT);
    rows[row + STORED] = storedAt;
    rows[row + HITS] = hits;
    this.#link(row);
  }

  /** Takes an entry out. */
  remove(row: number): void {
    const rows = this.#rows;
    const bucket = rows[row + HASH]! & (this.#buckets.length - 1);
    let at = this.#buckets[bucket]!;
    if (at === row) {
      this.#buckets[bucket] = rows[row + CHAIN]!;
    } else {
      while (rows[at + CHAIN] !== row) at = rows[at + CHAIN]!;
      rows[at + CHAIN] = rows[row + CHAIN]!;
    }
    this.#unlink(row);
    this.#arena.free(rows[row + ADDRESS]! >>> 0);
    rows[row + ADDRESS] = -1;
    rows[row + NEXT] = this.#freeRow;
    this.#freeRow = row;
    this.#size--;
  }

  #matches(row: number, question: Question): boolean {
    const rows = this.#rows;
    const state = rows[row + STATE]!;
    if (state >>> 16 !== question.qtype) return false;
    const key = (question.dnssecOk ? DO : 0) | (question.checkingDisabled ? CD : 0);
    if ((state & (DO | CD)) !== key) return false;
    const address = rows[row + ADDRESS]!;
    const stored = this.#arena.memory(address >>> 0).view;
    const asked = question.memory.view;
    let a = offsetOf(address) + HEADER_SIZE;
    let b = question.offset + HEADER_SIZE;
    const { qnameLength } = question;
    for (const end = a + (qnameLength & ~3); a < end; a += 4, b += 4) {
      const word = asked.getInt32(b, true);
      if (stored.getInt32(a, true) !== (word | upperMask(word))) return false;
    }
    const rest = qnameLength & 3;
    if (rest === 0) return stored.getUint8(a - 1) === 0;
    // Type and class follow both names, so four bytes can be read.
    const mask = (1 << (rest << 3)) - 1;
    const word = asked.getInt32(b, true) & mask;
    return (stored.getInt32(a, true) & mask) === (word | upperMask(word));
  }

  /** Looks at a few rows and takes out what has expired. */
  #sweep(now: number, rows: number): void {
    for (let i = 0; i < rows && this.#size > 0; i++) {
      if (this.#sweepAt >= this.#rowCount * STRIDE) this.#sweepAt = 0;
      const row = this.#sweepAt;
      this.#sweepAt += STRIDE;
      if (this.#rows[row + ADDRESS] === -1 || this.remaining(row, now) > 0) continue;
      // What was asked for again will be: it comes back into the main queue.
      if ((this.#rows[row + STATE]! & (IN_MAIN | USES)) !== 0) {
        this.#remember(this.#rows[row + HASH]! >>> 0);
      }
      this.remove(row);
    }
  }

  #evict(now: number): void {
    const smallLimit = Math.max(1, Math.floor(this.#capacity * SMALL_SHARE));
    const rows = this.#rows;
    // Each pass either removes an entry or lowers a count of uses, so this ends.
    for (;;) {
      if (this.#small.size >= smallLimit || this.#main.size === 0) {
        const row = this.#small.oldest;
        const state = rows[row + STATE]!;
        if ((state & USES) >> USES_SHIFT > 1 && this.remaining(row, now) > 0) {
          this.#unlink(row);
          rows[row + STATE] = (state & ~USES) | IN_MAIN;
          this.#link(row);
          continue;
        }
        this.#remember(rows[row + HASH]! >>> 0);
        this.#discard(row, now);
        return;
      }
      const row = this.#main.oldest;
      const state = rows[row + STATE]!;
      if ((state & USES) !== 0 && this.remaining(row, now) > 0) {
        this.#unlink(row);
        rows[row + STATE] = state - (1 << USES_SHIFT);
        this.#link(row);
        continue;
      }
      this.#discard(row, now);
      return;
    }
  }

  #discard(row: number, now: number): void {
    if (this.remaining(row, now) > 0) this.#evictions++;
    this.remove(row);
  }

  /** A ghost is the hash of an entry that left the small queue; a newer one takes its place. */
  #remember(hash: number): void {
    const ghosts = this.#ghosts ??= new Uint32Array(this.#capacity);
    ghosts[hash % ghosts.length] = hash;
  }

  #wasGhost(signed: number): boolean {
    const ghosts = this.#ghosts;
    const hash = signed >>> 0;
    if (ghosts === null || hash === 0) return false;
    const place = hash % ghosts.length;
    if (ghosts[place] !== hash) return false;
    ghosts[place] = 0;
    return true;
  }

  #makeRoomInBucket(hash: number): void {
    if (this.#size >= this.#buckets.length) this.#growBuckets();
    let last = -1;
    let count = 0;
    let row = this.#buckets[hash & (this.#buckets.length - 1)]!;
    for (; row >= 0; row = this.#rows[row + CHAIN]!) {
      last = row;
      count++;
    }
    if (count >= MAX_BUCKET) {
      this.#evictions++;
      this.remove(last);
    }
  }

  #growBuckets(): void {
    const buckets = new Int32Array(this.#buckets.length * 2).fill(-1);
    const rows = this.#rows;
    for (let row = 0; row < this.#rowCount * STRIDE; row += STRIDE) {
      if (rows[row + ADDRESS] === -1) continue;
      const bucket = rows[row + HASH]! & (buckets.length - 1);
      rows[row + CHAIN] = buckets[bucket]!;
      buckets[bucket] = row;
    }
    this.#buckets = buckets;
  }

  #takeRow(): number {
    if (this.#freeRow >= 0) {
      const row = this.#freeRow;
      this.#freeRow = this.#rows[row + NEXT]!;
      return row;
    }
    const row = this.#rowCount++ * STRIDE;
    if (row + STRIDE > this.#rows.length) {
      const rows = new Int32Array(Math.min(2 * this.#rows.length, this.#capacity * STRIDE));
      rows.set(this.#rows);
      this.#rows = rows;
    }
    return row;
  }

  #link(row: number): void {
    const rows = this.#rows;
    const queue = (rows[row + STATE]! & IN_MAIN) !== 0 ? this.#main : this.#small;
    rows[row + NEXT] = -1;
    rows[row + PREVIOUS] = queue.newest;
    if (queue.newest >= 0) rows[queue.newest + NEXT] = row;
    else queue.oldest = row;
    queue.newest = row;
    queue.size++;
  }

  #unlink(row: number): void {
    const rows = this.#rows;
    const queue = (rows[row + STATE]! & IN_MAIN) !== 0 ? this.#main : this.#small;
    const next = rows[row + NEXT]!;
    const previous = rows[row + PREVIOUS]!;
    if (next >= 0) rows[next + PREVIOUS] = previous;
    else queue.newest = previous;
    if (previous >= 0) rows[previous + NEXT] = next;
    else queue.oldest = next;
    queue.size--;
  }
}
