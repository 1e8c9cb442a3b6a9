import { copyWords } from "../../../engine/memory.ts";
import type { Response } from "../../../engine/response/response.ts";
import { chunkOf, offsetOf } from "./arena.ts";
import { Entries, entrySize, keyBits, lengthWord } from "./entries.ts";
import { Eviction, type Shortage } from "./eviction.ts";
import { RowIndex } from "./index.ts";
import { type LimitedStore, MemoryLimit } from "./memory_limit.ts";
import * as ROW from "./row.ts";
import { fitFor, type KeyedQuestion, prefixFor, type SubnetRule } from "./subnets.ts";
import { UpstreamLabels } from "./upstreams.ts";

/** Growth beyond copies the table. */
const FIRST_ROWS = 1 << 20;
/** Rows per insertion, and before evicting a live entry. */
const SWEEP = { always: 4, full: 64 } as const;
/** A row, and up to eight bytes of the index. */
const ENTRY_BYTES = 4 * ROW.STRIDE + 8;
/** Share of the capacity for pinned entries; the least fits all names of `keep`. */
const PINNED_SHARE = 1 / 2;
/** Exceeds any fit. */
const FRESH = 256;

/** Store options. */
export interface StoreOptions {
  graceSeconds?: number;
  subnets?: SubnetRule;
  memory?: MemoryLimit;
  upstreams?: UpstreamLabels;
}

/** Follows rows whose answers are published elsewhere. */
export interface RowWatch {
  /** Before the row is gone. */
  removed(row: number): void;
  /** Before its uses count. */
  examined(row: number): void;
}

/** Responses of one class. Expired entries go first, then `Eviction` chooses. */
export class Store extends Entries implements LimitedStore {
  readonly #capacity: number;
  readonly #memory: MemoryLimit;
  readonly #graceSeconds: number;
  readonly #upstreams: UpstreamLabels;
  #rowCount = 0;
  #freeRow = -1;
  readonly #index: RowIndex;
  readonly #eviction: Eviction;
  #sweepAt = 0;
  size = 0;
  /** Live entries evicted. */
  evictions = 0;
  pinnedBytes = 0;
  /** Refreshed before expiry, then asked for; of those removed. */
  refreshesUsed = 0;
  watch: RowWatch | null = null;

  constructor(wanted: number, options: StoreOptions = {}) {
    const { memory = new MemoryLimit(), graceSeconds = 0, subnets = "none" } = options;
    const capacity = memory.capacityFor(wanted);
    super(Math.min(capacity, FIRST_ROWS) * ROW.STRIDE, memory.arena, subnets);
    this.#memory = memory;
    this.#graceSeconds = graceSeconds;
    this.#upstreams = options.upstreams ?? new UpstreamLabels();
    this.#index = new RowIndex(subnets !== "none");
    this.#capacity = capacity;
    this.#eviction = new Eviction(capacity);
    memory.add(this);
    if (memory.limited) this.#eviction.ghosts.reserve();
  }

  /** Of a replaced store. */
  inheritCounts({ evictions, refreshesUsed }: Store): void {
    this.evictions = evictions;
    this.refreshesUsed = refreshesUsed;
  }

  get usedBytes(): number {
    return this.#eviction.bytes.total;
  }

  get tableBytes(): number {
    return 4 * ROW.STRIDE * this.#rowCount + this.#index.sizeBytes +
      this.#eviction.ghosts.sizeBytes;
  }

  get rowCost(): number {
    return (this.#freeRow < 0 ? 4 * ROW.STRIDE : 0) +
      (this.size >= this.#index.length ? this.#index.sizeBytes : 0);
  }

  /** Valid until the next insertion. */
  get rows(): Int32Array {
    return this.table.subarray(0, this.#rowCount * ROW.STRIDE);
  }

  /** Fresh entries first, then the narrowest network; -1 for none. */
  find(question: KeyedQuestion, now: number): number {
    const rows = this.table;
    const hash = question.hash | 0;
    let best = -1;
    let bestFit = -1;
    for (let row = this.#index.first(hash); row >= 0; row = rows[row + ROW.CHAIN]!) {
      if (rows[row + ROW.HASH] !== hash || !this.matches(row, question)) continue;
      if (this.subnets === "none") return row;
      let fit = this.fit(row, question);
      if (fit >= 0 && this.remaining(row, now) > 0) fit += FRESH;
      if (fit <= bestFit) continue;
      best = row;
      bestFit = fit;
    }
    return best;
  }

  /** For `prefix` (`FOR`), or -1. */
  rowFor(question: KeyedQuestion, prefix: number): number {
    const rows = this.table;
    const hash = question.hash | 0;
    for (let row = this.#index.first(hash); row >= 0; row = rows[row + ROW.CHAIN]!) {
      if (rows[row + ROW.HASH] !== hash || !this.matches(row, question)) continue;
      if (this.isForSame(row, question, prefix)) return row;
    }
    return -1;
  }

  /** Removes the client's entries, except those for more clients than `prefix`. */
  removeWithin(question: KeyedQuestion, prefix: number): void {
    const rows = this.table;
    const hash = question.hash | 0;
    const all = this.subnets === "none";
    for (let row = this.#index.first(hash), next = -1; row >= 0; row = next) {
      next = rows[row + ROW.CHAIN]!;
      if (rows[row + ROW.HASH] !== hash || !this.matches(row, question)) continue;
      if (all || this.fit(row, question) >= fitFor(prefix)) this.remove(row);
    }
  }

  /** Returns the row, valid until the next insertion, or -1 if too large. */
  insert(
    question: KeyedQuestion,
    response: Response,
    flags: number,
    ttlSeconds: number,
    now: number,
    prefix = prefixFor(question, response, this.subnets),
  ): number {
    const size = entrySize(response, prefix);
    if (!this.#memory.allows(size)) return -1;
    this.#sweep(now, SWEEP.always);
    let owner = question.client < 0 ? 0 : question.client;
    let hits = 0;
    let seen = now;
    let standing = 0;
    let pinned = 0;
    const old = this.rowFor(question, prefix);
    if (old >= 0) {
      this.watch?.examined(old);
      const state = this.table[old + ROW.STATE]!;
      hits = this.table[old + ROW.HITS]!;
      seen = this.table[old + ROW.SEEN]!;
      standing = state & (ROW.USES | ROW.IN_MAIN);
      if (question.internal && this.remaining(old, now) > 0) standing |= ROW.REFRESHED;
      pinned = this.table[old + ROW.LENGTH]! & ROW.PINNED;
      owner = ROW.ownerOf(state);
      this.remove(old);
      if (pinned !== 0 && !this.#memory.allowsPinned(size + ENTRY_BYTES)) pinned = 0;
    } else {
      if (this.size >= this.#capacity) this.#sweep(now, SWEEP.full);
      while (this.size >= this.#capacity) this.evict(now, "entries");
      if (this.#eviction.ghosts.take(question.hash)) standing = ROW.IN_MAIN;
    }

    const surplus = this.#index.surplus(this.table, question.hash | 0);
    if (surplus >= 0) {
      this.evictions++;
      this.remove(surplus);
    }
    if (!this.#memory.makeRoom(this, size, now)) return -1;
    if (this.size >= this.#index.length) this.#index.grow(this.table, this.#rowCount);
    const address = this.arena.allocate(size);
    const source = this.#upstreams.numberOf(question.upstream);
    this.writeBlock(address, question, response, flags, prefix, source);

    const row = this.#takeRow();
    const rows = this.table;
    rows[row + ROW.HASH] = question.hash | 0;
    rows[row + ROW.ADDRESS] = address;
    rows[row + ROW.LENGTH] = lengthWord(response, prefix) | pinned;
    rows[row + ROW.STORED] = now;
    rows[row + ROW.TTL] = ttlSeconds;
    rows[row + ROW.STATE] = (question.qtype << 16) | (owner << ROW.OWNER_SHIFT) | standing |
      keyBits(question);
    rows[row + ROW.HITS] = hits;
    rows[row + ROW.SEEN] = seen;
    rows[row + ROW.RECHECK] = now;
    this.#count(row, 1, size);
    this.#eviction.push(rows, row);
    this.#index.add(rows, row);
    this.size++;
    return row;
  }

  restore(
    row: number,
    { storedAt, hits, state }: { storedAt: number; hits: number; state: number },
  ): void {
    const rows = this.table;
    this.#eviction.take(rows, row);
    const standing = ROW.IN_MAIN | ROW.USES;
    rows[row + ROW.STATE] = (rows[row + ROW.STATE]! & ~standing) | (state & standing);
    rows[row + ROW.STORED] = storedAt;
    rows[row + ROW.HITS] = hits;
    this.#eviction.push(rows, row);
  }

  isPinned(row: number): boolean {
    return (this.table[row + ROW.LENGTH]! & ROW.PINNED) !== 0;
  }

  /** False if pinned rows have their share. */
  pin(row: number): boolean {
    if (this.isPinned(row)) return true;
    const fits = this.#eviction.pinned + 1 <= this.#capacity * PINNED_SHARE &&
      this.#memory.allowsPinned(this.blockSize(row) + ENTRY_BYTES);
    if (fits) this.#setPinned(row, ROW.PINNED);
    return fits;
  }

  unpin(row: number): void {
    if (this.isPinned(row)) this.#setPinned(row, 0);
  }

  #setPinned(row: number, pinned: number): void {
    const rows = this.table;
    const size = this.blockSize(row);
    this.#eviction.take(rows, row);
    this.#count(row, -1, size);
    rows[row + ROW.LENGTH] = (rows[row + ROW.LENGTH]! & ~ROW.PINNED) | pinned;
    this.#count(row, 1, size);
    this.#eviction.push(rows, row);
  }

  remove(row: number): void {
    this.watch?.removed(row);
    const rows = this.table;
    const size = this.blockSize(row);
    // `count` is called for stores with prefetch, and only those refresh fresh entries.
    const state = rows[row + ROW.STATE]!;
    if ((state & ROW.REFRESHED) !== 0 && rows[row + ROW.SEEN]! > rows[row + ROW.STORED]!) {
      this.refreshesUsed++;
    }
    this.#index.remove(rows, row);
    this.#eviction.take(rows, row);
    this.#count(row, -1, size);
    this.arena.free(rows[row + ROW.ADDRESS]!);
    rows[row + ROW.ADDRESS] = -1;
    rows[row + ROW.CHAIN] = this.#freeRow;
    this.#freeRow = row;
    this.size--;
  }

  evict(now: number, shortage: Shortage): void {
    const entries = Math.min(this.#eviction.evictable, this.#capacity);
    const row = this.#eviction.choose(this.table, now, { shortage, entries, watch: this.watch });
    if (this.remaining(row, now) > 0) this.evictions++;
    this.remove(row);
  }

  moveOutOf(chunk: number): void {
    const { rows, arena } = this;
    for (let row = 0; row < rows.length; row += ROW.STRIDE) {
      const old = rows[row + ROW.ADDRESS]!;
      if (old === -1 || chunkOf(old) !== chunk) continue;
      const from = arena.memory(old);
      const size = this.blockSize(row);
      const address = arena.allocate(size);
      copyWords(from, offsetOf(old), arena.memory(address), offsetOf(address), size);
      rows[row + ROW.ADDRESS] = address;
      arena.free(old);
    }
  }

  /** Removes entries that are too old. */
  moveBack(tenths: number): void {
    const { rows } = this;
    for (let row = 0; row < rows.length; row += ROW.STRIDE) {
      if (rows[row + ROW.ADDRESS] === -1) continue;
      const storedAt = rows[row + ROW.STORED]! - tenths;
      if (storedAt < -ROW.CLOCK_SPAN) {
        this.remove(row);
        continue;
      }
      rows[row + ROW.STORED] = storedAt;
      for (const word of [ROW.SEEN, ROW.RECHECK]) {
        rows[row + word] = Math.max(rows[row + word]! - tenths, -ROW.CLOCK_SPAN);
      }
    }
  }

  #sweep(now: number, rows: number): void {
    for (let i = 0; i < rows && this.size > 0; i++) {
      if (this.#sweepAt >= this.#rowCount * ROW.STRIDE) this.#sweepAt = 0;
      const row = this.#sweepAt;
      this.#sweepAt += ROW.STRIDE;
      if (this.table[row + ROW.ADDRESS] === -1 || this.isPinned(row)) continue;
      if (this.remaining(row, now) + this.#graceSeconds > 0) continue;
      // Used names return to the main queue.
      if ((this.table[row + ROW.STATE]! & (ROW.IN_MAIN | ROW.USES)) !== 0) {
        this.#eviction.ghosts.add(this.table[row + ROW.HASH]!);
      }
      this.remove(row);
    }
  }

  /** Pinned entries do not count for their owners. */
  #count(row: number, entries: 1 | -1, size: number): void {
    if (this.isPinned(row)) {
      this.pinnedBytes += entries * (size + ENTRY_BYTES);
      return;
    }
    const owner = ROW.ownerOf(this.table[row + ROW.STATE]!);
    this.#eviction.entries.add(owner, entries);
    this.#eviction.bytes.add(owner, entries * (size + ENTRY_BYTES));
  }

  #takeRow(): number {
    if (this.#freeRow >= 0) {
      const row = this.#freeRow;
      this.#freeRow = this.table[row + ROW.CHAIN]!;
      return row;
    }
    const row = this.#rowCount++ * ROW.STRIDE;
    if (row + ROW.STRIDE > this.table.length) {
      const rows = new Int32Array(Math.min(2 * this.table.length, this.#capacity * ROW.STRIDE));
      rows.set(this.table);
      this.table = rows;
    }
    return row;
  }
}
