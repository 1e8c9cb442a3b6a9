import type { EntryChoice } from "../flush/entry_filter.ts";

/** Position in the stores: class (success, denial, failures) and row. */
export interface ScanCursor {
  readonly store: number;
  readonly row: number;
}

/** Where a scan starts. */
export const SCAN_START: ScanCursor = { store: 0, row: 0 };

/** Requests of operators to a handler; a slice of the work each time. */
export type OperatorRequest =
  /** Answers in flight are not stored. Before the slices of `flush`. */
  | { readonly type: "begin flush"; readonly choice: EntryChoice }
  | { readonly type: "flush"; readonly choice: EntryChoice; readonly from: ScanCursor }
  /** As `flush`, without removing. */
  | { readonly type: "count"; readonly choice: EntryChoice; readonly from: ScanCursor }
  /** Forgets everything at once. */
  | { readonly type: "drop" }
  /** Writes entries into shared memory of `ENTRY_SLICE_SIZE` bytes. */
  | {
    readonly type: "read";
    readonly choice: EntryChoice;
    readonly from: ScanCursor;
    readonly memory: SharedArrayBuffer;
  };

/** A request with the zones of the server block that is meant: a reload may move another one there. */
export type AddressedRequest = OperatorRequest & { readonly zones: readonly string[] };

/** Entries that could be served. */
export interface EntryCounts {
  answers: number;
  denials: number;
  failures: number;
  /** Answers and denials that have expired. */
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
  /** Labels of upstreams by number. */
  readonly upstreams: readonly string[];
}
