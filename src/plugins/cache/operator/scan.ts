import { HEADER_SIZE } from "../../../dns/constants.ts";
import { copyWords, Memory } from "../../../engine/memory.ts";
import { Response } from "../../../engine/response/response.ts";
import type { CacheContent } from "../content.ts";
import { EntryFilter } from "../flush/entry_filter.ts";
import * as ROW from "../store/row.ts";
import type { Store } from "../store/store.ts";
import { MAX_ENTRY_SIZE, SLICE, SLICED_PINNED } from "./entry_slice.ts";
import type {
  EntryCounts,
  FlushBegun,
  FlushReply,
  OperatorRequest,
  ReadReply,
  ScanCursor,
} from "./requests.ts";

/** A fifth of a millisecond; few until the code is compiled. */
const SLICE_ROWS = { first: 250, most: 4000 } as const;
const SLICE_ENTRIES = 1000;

/** Reads and flushes a cache, a slice a turn. */
export class OperatorScan {
  readonly #content: CacheContent;
  readonly #response = new Response(new Memory(8));
  #rowsATurn: number = SLICE_ROWS.first;

  constructor(content: CacheContent) {
    this.#content = content;
  }

  answer(request: OperatorRequest, now: number): FlushBegun | FlushReply | ReadReply {
    switch (request.type) {
      case "begin flush":
        this.#content.flushes.add(new EntryFilter(request.choice));
        return { begun: true };
      case "drop":
        this.#content.drop();
        return { begun: true };
      case "flush":
        return this.#flush(request, now, true);
      case "count":
        return this.#flush(request, now, false);
      case "read":
        return this.#read(request, now);
    }
  }

  #flush(
    { choice, from }: Extract<OperatorRequest, { type: "flush" | "count" }>,
    now: number,
    removes: boolean,
  ): FlushReply {
    const counts: EntryCounts = { answers: 0, denials: 0, failures: 0, stale: 0 };
    const next = this.#scan(new EntryFilter(choice), from, (store, row) => {
      const kind = this.#kindOf(store, row, now);
      if (kind !== null) counts[kind]++;
      if (removes) store.remove(row);
      return true;
    });
    return { counts, next };
  }

  #read(
    { choice, from, memory: shared }: Extract<OperatorRequest, { type: "read" }>,
    now: number,
  ): ReadReply {
    // The control plane does not touch it meanwhile.
    const memory = new Memory(shared as unknown as ArrayBuffer);
    const room = memory.bytes.length - MAX_ENTRY_SIZE;
    let sizeBytes = 0;
    const next = this.#scan(new EntryFilter(choice), from, (store, row) => {
      if (sizeBytes > room) return false;
      if (this.#kindOf(store, row, now) === null) return true;
      sizeBytes = this.#write(memory, sizeBytes, { store, row, now });
      return true;
    });
    return { sizeBytes, next, upstreams: this.#content.upstreams.list };
  }

  /** Repeats a visit that returned false. */
  #scan(
    filter: EntryFilter,
    from: ScanCursor,
    visit: (store: Store, row: number) => boolean,
  ): ScanCursor | null {
    const stores = this.#stores;
    let { store: number, row } = from;
    let entries = 0;
    let left = this.#rowsATurn;
    this.#rowsATurn = Math.min(2 * left, SLICE_ROWS.most);
    for (; number < stores.length; number++, row = 0) {
      const store = stores[number]!;
      const { rows } = store;
      for (; row < rows.length; row += ROW.STRIDE) {
        if (left-- === 0 || entries === SLICE_ENTRIES) return { store: number, row };
        if (rows[row + ROW.ADDRESS] === -1) continue;
        if (!filter.matchesType(rows[row + ROW.STATE]! >>> 16)) continue;
        if (!filter.everyName) {
          store.read(row, this.#response);
          const { memory, offset } = this.#response;
          if (!filter.matchesName(memory.bytes, offset + HEADER_SIZE)) continue;
        }
        entries++;
        if (!visit(store, row)) return { store: number, row };
      }
    }
    return null;
  }

  get #stores(): readonly Store[] {
    const { success, denial, failures } = this.#content;
    return [success, denial, failures];
  }

  /** Null if not served any more. */
  #kindOf(store: Store, row: number, now: number): keyof EntryCounts | null {
    const { success, failures, staleSeconds } = this.#content;
    const remaining = store.remaining(row, now);
    if (store === failures) return remaining > 0 ? "failures" : null;
    if (remaining > 0) return store === success ? "answers" : "denials";
    // Empty answers are not served stale.
    if (store.isPinned(row)) return "stale";
    return remaining > -staleSeconds && (store !== success || store.hasAnswer(row))
      ? "stale"
      : null;
  }

  #write(
    memory: Memory,
    at: number,
    { store, row, now }: { store: Store; row: number; now: number },
  ): number {
    const { rows } = store;
    const response = this.#response;
    store.read(row, response);
    const { bytes, view } = memory;
    const { length, errorText, extendedError } = response;
    const subnet = store.subnetSize(row);
    const text = extendedError < 0 ? 0 : errorText.length;
    const messageAt = at + SLICE.MESSAGE;
    const subnetAt = messageAt + length;
    const end = subnetAt + subnet + text;
    const next = (end + 7) & ~7;
    view.setUint32(at + SLICE.SIZE, next - at, true);
    view.setUint32(at + SLICE.TTL, store.ttlOf(row), true);
    view.setUint32(at + SLICE.AGE, Math.max(0, now - rows[row + ROW.STORED]!), true);
    view.setUint32(at + SLICE.HITS, rows[row + ROW.HITS]!, true);
    view.setUint32(at + SLICE.PAUSE, Math.max(0, rows[row + ROW.RECHECK]! - now), true);
    view.setUint32(at + SLICE.ERROR, extendedError + 1, true);
    view.setUint16(at + SLICE.LENGTH, length, true);
    view.setUint16(at + SLICE.UPSTREAM, store.sourceOf(row), true);
    bytes[at + SLICE.CLASS] = this.#stores.indexOf(store);
    bytes[at + SLICE.STATE] = (rows[row + ROW.STATE]! & ROW.PERSISTED) |
      (store.isPinned(row) ? SLICED_PINNED : 0);
    bytes[at + SLICE.SUBNET] = subnet;
    bytes[at + SLICE.TEXT] = text;
    copyWords(response.memory, response.offset, memory, messageAt, length);
    const from = response.memory.bytes;
    const fromAt = store.subnetAt(row);
    for (let i = 0; i < subnet; i++) bytes[subnetAt + i] = from[fromAt + i]!;
    for (let i = 0; i < text; i++) bytes[subnetAt + subnet + i] = errorText.bytes[i]!;
    bytes.fill(0, end, next);
    return next;
  }
}
