import type { Response } from "../../../engine/response/response.ts";
import { type Arena, offsetOf } from "./arena.ts";
import type { EntryState } from "./entry_state.ts";
import { moveTimesBack } from "./clock.ts";
import {
  blockSize,
  entrySize,
  isAbout,
  type KeyedQuestion,
  lengthWord,
  readExtras,
  writeEntry,
} from "./entry.ts";
import { Eviction } from "./eviction.ts";
import { type LimitedStore, MemoryLimit } from "./memory_limit.ts";
import { RowIndex } from "./index.ts";
import { moveEntries } from "./move_entries.ts";
import type { Shortage } from "./owners.ts";
import {
  ADDRESS,
  CD,
  CHAIN,
  DO,
  HASH,
  HITS,
  IN_MAIN,
  LENGTH,
  OWNER_SHIFT,
  ownerOf,
  RECHECK,
  RECORDS,
  SEEN,
  STATE,
  STORED,
  STRIDE,
  TTL,
  USES,
  USES_SHIFT,
} from "./row.ts";
import { fitFor, fitOf, isForSame, prefixFor, type SubnetRule } from "./subnets.ts";

export type { KeyedQuestion };

/** Rows reserved at once; only beyond this does the table move to grow. */
const FIRST_ROWS = 1 << 20;
/** Rows checked for expired entries at every insertion, and before a live one is evicted. */
const SWEEP = { always: 4, full: 64 } as const;
/** Bytes that an entry takes beside its message: a row, and up to eight of the index. */
const ENTRY_BYTES = 4 * STRIDE + 8;
/** Largest count in a row; 150,000 queries a second reach it in four hours. */
const MAX_HITS = 0x7fffffff;
/** What being fresh adds to how well an entry fits: more than any fit. */
const FRESH = 256;

/** Store options. */
export interface StoreOptions {
  /** How long entries stay, to be served stale, once they have expired. */
  graceSeconds?: number;
  /** What client subnets mean. */
  subnets?: SubnetRule;
  /** Memory that it shares with other stores. */
  memory?: MemoryLimit;
}

/**
 * Cached responses of one class. This folder is the cache's memory: it knows questions and responses
 * of the engine, and nothing of handlers, options or counters; `content.ts` puts three stores together.
 *
 * Expired entries go first, then those that `Eviction` chooses.
 *
 * Times are tenths of a second on a clock of the caller's (`StoreClock`).
 */
export class Store implements LimitedStore {
  readonly #capacity: number;
  readonly #memory: MemoryLimit;
  readonly #arena: Arena;
  readonly #graceSeconds: number;
  readonly #subnets: SubnetRule;
  #rows: Int32Array;
  #rowCount = 0;
  #freeRow = -1;
  readonly #index: RowIndex;
  readonly #eviction: Eviction;
  #sweepAt = 0;
  #size = 0;
  #evictions = 0;

  /** @param capacity - most entries */
  constructor(capacity: number, options: StoreOptions = {}) {
    this.#memory = options.memory ?? new MemoryLimit();
    this.#arena = this.#memory.arena;
    this.#graceSeconds = options.graceSeconds ?? 0;
    this.#subnets = options.subnets ?? "none";
    this.#index = new RowIndex(this.#subnets !== "none");
    this.#capacity = this.#memory.add(this, capacity);
    this.#eviction = new Eviction(this.#capacity);
    if (this.#memory.limited) this.#eviction.ghosts.reserve();
    // Pages of a large array that nobody has touched take no memory.
    this.#rows = new Int32Array(Math.min(this.#capacity, FIRST_ROWS) * STRIDE);
  }

  get size(): number {
    return this.#size;
  }

  /** Entries evicted before they expired. */
  get evictions(): number {
    return this.#evictions;
  }

  get usedBytes(): number {
    return this.#eviction.owners.bytes.total;
  }

  get tableBytes(): number {
    return 4 * STRIDE * this.#rowCount + this.#index.sizeBytes + this.#eviction.ghosts.sizeBytes;
  }

  get rowCost(): number {
    return (this.#freeRow < 0 ? 4 * STRIDE : 0) +
      (this.#size >= this.#index.length ? this.#index.sizeBytes : 0);
  }

  /**
   * Row of the entry that answers this question for its client, or -1. One that is good at `now`
   * comes before an expired one, and that for the narrowest network before others.
   */
  find(question: KeyedQuestion, now: number): number {
    const rows = this.#rows;
    const hash = question.hash | 0;
    let best = -1;
    let bestFit = -1;
    for (let row = this.#index.first(hash); row >= 0; row = rows[row + CHAIN]!) {
      if (rows[row + HASH] !== hash || !this.#matches(row, question)) continue;
      if (this.#subnets === "none") return row;
      let fit = this.fit(row, question);
      if (fit >= 0 && this.remaining(row, now) > 0) fit += FRESH;
      if (fit <= bestFit) continue;
      best = row;
      bestFit = fit;
    }
    return best;
  }

  /** Row of the entry for the question that is for just `prefix` (`FOR`), good or not; or -1. */
  rowFor(question: KeyedQuestion, prefix: number): number {
    const rows = this.#rows;
    const hash = question.hash | 0;
    for (let row = this.#index.first(hash); row >= 0; row = rows[row + CHAIN]!) {
      if (rows[row + HASH] !== hash || !this.#matches(row, question)) continue;
      const address = rows[row + ADDRESS]!;
      const memory = this.#arena.memory(address);
      const lengths = rows[row + LENGTH]!;
      if (isForSame(lengths, memory, offsetOf(address), question, prefix)) return row;
    }
    return -1;
  }

  /** How well an entry for the question suits its client: -1 not at all, else the narrower the more. */
  fit(row: number, question: KeyedQuestion): number {
    const address = this.#rows[row + ADDRESS]!;
    const memory = this.#arena.memory(address);
    const lengths = this.#rows[row + LENGTH]!;
    return fitOf(lengths, memory, offsetOf(address), question, this.#subnets);
  }

  /**
   * Removes the entries for the question's client that are for no more clients than `prefix` (`FOR`)
   * stands for: what is for others too stays good for them.
   */
  removeWithin(question: KeyedQuestion, prefix: number): void {
    const rows = this.#rows;
    const hash = question.hash | 0;
    const all = this.#subnets === "none";
    for (let row = this.#index.first(hash), next = -1; row >= 0; row = next) {
      next = rows[row + CHAIN]!;
      if (rows[row + HASH] !== hash || !this.#matches(row, question)) continue;
      if (all || this.fit(row, question) >= fitFor(prefix)) this.remove(row);
    }
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
    // `remainingOf`, written out because it runs for every hit.
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
    const hits = now - rows[row + SEEN]! >= gap ? 1 : Math.min(rows[row + HITS]! + 1, MAX_HITS);
    rows[row + HITS] = hits;
    rows[row + SEEN] = now;
    return hits;
  }

  /** Claims a refresh of an entry, and keeps others away until `until`; false where one has it. */
  beginRefresh(row: number, now: number, until: number): boolean {
    if (!this.mayRefresh(row, now)) return false;
    this.#rows[row + RECHECK] = until;
    return true;
  }

  /** Whether a refresh may begin: none is under way, and the last one did not just fail. */
  mayRefresh(row: number, now: number): boolean {
    return now >= this.#rows[row + RECHECK]!;
  }

  /** Sets when the next refresh may begin: the last one is over. */
  recheckAt(row: number, at: number): void {
    this.#rows[row + RECHECK] = at;
  }

  /** Whether the answer section of an entry's message has records. */
  hasAnswer(row: number): boolean {
    const address = this.#rows[row + ADDRESS]!;
    return this.#arena.memory(address).view.getUint16(offsetOf(address) + 6) > 0;
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
    response.ttlCount = (lengths >>> 16) & RECORDS;
    readExtras(lengths, response);
  }

  /**
   * Stores a response; an older one for the same question goes, its count of queries stays.
   *
   * @param flags - header word to store with the message
   * @param ttlSeconds - how long it is good, at least 1
   * @param prefix - whom it is for (`FOR`)
   * @returns the row, good until the next insertion, or -1 if the message is too large to keep
   */
  insert(
    question: KeyedQuestion,
    response: Response,
    flags: number,
    ttlSeconds: number,
    now: number,
    prefix = prefixFor(question, response, this.#subnets),
  ): number {
    const size = entrySize(response, prefix);
    if (!this.#memory.allows(size)) return -1;
    this.#sweep(now, SWEEP.always);
    let owner = question.client < 0 ? 0 : question.client;
    let hits = 0;
    let seen = now;
    const old = this.rowFor(question, prefix);
    let uses = 0;
    let main = false;
    if (old >= 0) {
      hits = this.#rows[old + HITS]!;
      seen = this.#rows[old + SEEN]!;
      uses = this.#rows[old + STATE]! & USES;
      main = (this.#rows[old + STATE]! & IN_MAIN) !== 0;
      owner = ownerOf(this.#rows[old + STATE]!);
      this.remove(old);
    } else {
      if (this.#size >= this.#capacity) this.#sweep(now, SWEEP.full);
      while (this.#size >= this.#capacity) this.evict(now, "entries");
      main = this.#eviction.ghosts.take(question.hash);
    }

    const surplus = this.#index.surplus(this.#rows, question.hash | 0);
    if (surplus >= 0) {
      this.#evictions++;
      this.remove(surplus);
    }
    if (!this.#memory.makeRoom(this, size, now)) return -1;
    if (this.#size >= this.#index.length) this.#index.grow(this.#rows, this.#rowCount);
    const address = this.#arena.allocate(size);
    const memory = this.#arena.memory(address);
    writeEntry(question, response, flags, memory, offsetOf(address), prefix);

    const row = this.#takeRow();
    const rows = this.#rows;
    rows[row + HASH] = question.hash | 0;
    rows[row + ADDRESS] = address;
    rows[row + LENGTH] = lengthWord(response, prefix);
    rows[row + STORED] = now;
    rows[row + TTL] = ttlSeconds;
    rows[row + STATE] = (question.qtype << 16) | (question.dnssecOk ? DO : 0) |
      (question.checkingDisabled ? CD : 0) | (owner << OWNER_SHIFT) | uses | (main ? IN_MAIN : 0);
    rows[row + HITS] = hits;
    rows[row + SEEN] = seen;
    rows[row + RECHECK] = now;
    this.#eviction.owners.add(owner, size + ENTRY_BYTES);
    this.#eviction.push(rows, row);
    this.#index.add(rows, row);
    this.#size++;
    return row;
  }

  /** The rows so far, one after the other as `row.ts` draws them; good until the next insertion. */
  get rows(): Int32Array {
    return this.#rows.subarray(0, this.#rowCount * STRIDE);
  }

  /** Gives an entry just inserted the age and the standing that it had elsewhere. */
  restore(row: number, { storedAt, hits, main, uses }: EntryState): void {
    const rows = this.#rows;
    this.#eviction.take(rows, row);
    const state = rows[row + STATE]! & ~(IN_MAIN | USES);
    rows[row + STATE] = state | (main ? IN_MAIN : 0) | (uses << USES_SHIFT);
    rows[row + STORED] = storedAt;
    rows[row + HITS] = hits;
    this.#eviction.push(rows, row);
  }

  /** Removes an entry. */
  remove(row: number): void {
    const rows = this.#rows;
    this.#index.remove(rows, row);
    this.#eviction.take(rows, row);
    this.#eviction.owners.remove(ownerOf(rows[row + STATE]!), this.#sizeOf(row) + ENTRY_BYTES);
    this.#arena.free(rows[row + ADDRESS]! >>> 0);
    rows[row + ADDRESS] = -1;
    rows[row + CHAIN] = this.#freeRow;
    this.#freeRow = row;
    this.#size--;
  }

  moveOutOf(chunk: number): void {
    moveEntries(this.rows, this.#arena, chunk);
  }

  /** The store's clock begins anew, `tenths` later: makes all times as much earlier. */
  moveBack(tenths: number): void {
    const rows = this.#rows;
    for (let row = 0, end = this.#rowCount * STRIDE; row < end; row += STRIDE) {
      if (rows[row + ADDRESS] !== -1 && !moveTimesBack(rows, row, tenths)) this.remove(row);
    }
  }

  #sizeOf(row: number): number {
    const address = this.#rows[row + ADDRESS]!;
    return blockSize(this.#rows[row + LENGTH]!, this.#arena.memory(address), offsetOf(address));
  }

  #matches(row: number, question: KeyedQuestion): boolean {
    const rows = this.#rows;
    const state = rows[row + STATE]!;
    if (state >>> 16 !== question.qtype) return false;
    const key = (question.dnssecOk ? DO : 0) | (question.checkingDisabled ? CD : 0);
    if ((state & (DO | CD)) !== key) return false;
    const address = rows[row + ADDRESS]!;
    return isAbout(this.#arena.memory(address), offsetOf(address), question);
  }

  /** Checks a few rows and removes what has expired. */
  #sweep(now: number, rows: number): void {
    for (let i = 0; i < rows && this.#size > 0; i++) {
      if (this.#sweepAt >= this.#rowCount * STRIDE) this.#sweepAt = 0;
      const row = this.#sweepAt;
      this.#sweepAt += STRIDE;
      if (this.#rows[row + ADDRESS] === -1) continue;
      if (this.remaining(row, now) + this.#graceSeconds > 0) continue;
      // A name asked for again comes back into the main queue.
      if ((this.#rows[row + STATE]! & (IN_MAIN | USES)) !== 0) {
        this.#eviction.ghosts.add(this.#rows[row + HASH]!);
      }
      this.remove(row);
    }
  }

  evict(now: number, shortage: Shortage): void {
    // At less than the capacity it is bytes that are short.
    const entries = Math.min(this.#size, this.#capacity);
    const row = this.#eviction.choose(this.#rows, now, shortage, entries);
    if (this.remaining(row, now) > 0) this.#evictions++;
    this.remove(row);
  }

  #takeRow(): number {
    if (this.#freeRow >= 0) {
      const row = this.#freeRow;
      this.#freeRow = this.#rows[row + CHAIN]!;
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
}
