import type { EntryChoice } from "../flush/entry_filter.ts";

/** Class (success, denial, failures) and row. */
export interface ScanCursor {
  readonly store: number;
  readonly row: number;
}

/** Where a scan starts. */
export const SCAN_START: ScanCursor = { store: 0, row: 0 };

/** Requests to a handler; a slice of the work each time. */
export type OperatorRequest =
  /** Precedes `flush`: answers in flight are not stored. */
  | { readonly type: "begin flush"; readonly choice: EntryChoice }
  | { readonly type: "flush"; readonly choice: EntryChoice; readonly from: ScanCursor }
  | { readonly type: "count"; readonly choice: EntryChoice; readonly from: ScanCursor }
  | { readonly type: "drop" }
  /** Into `ENTRY_SLICE_SIZE` bytes. */
  | {
    readonly type: "read";
    readonly choice: EntryChoice;
    readonly from: ScanCursor;
    readonly memory: SharedArrayBuffer;
  };

/** With the zones of its block: a reload may move another one there. */
export type AddressedRequest = OperatorRequest & { readonly zones: readonly string[] };

/** Entries that could be served. */
export interface EntryCounts {
  answers: number;
  denials: number;
  failures: number;
  /** Expired answers and denials. */
  stale: number;
}

/** Reply to `begin flush` and `drop`. */
export interface FlushBegun {
  readonly begun: true;
}

/** Reply to `flush` and `count`; `next` is null at the end. */
export interface FlushReply {
  readonly counts: EntryCounts;
  readonly next: ScanCursor | null;
}

/** Reply to `read`. */
export interface ReadReply {
  readonly sizeBytes: number;
  readonly next: ScanCursor | null;
  /** Upstreams, by number. */
  readonly upstreams: readonly string[];
}
