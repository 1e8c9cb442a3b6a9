/** Position of a save: class and row. */
export interface SnapshotCursor {
  store: number;
  row: number;
}

/** Start of a save. */
export const SNAPSHOT_START: Readonly<SnapshotCursor> = { store: 0, row: 0 };

/** Request to save a slice into `MAX_SLICE_SIZE` bytes of shared memory. */
export interface SaveRequest {
  type: "save";
  memory: SharedArrayBuffer;
  from: SnapshotCursor;
}

/** `next` is null after the last slice. */
export interface SaveReply {
  sizeBytes: number;
  entries: number;
  next: SnapshotCursor | null;
}

/** Request to load a slice from shared memory. */
export interface LoadRequest {
  type: "load";
  memory: SharedArrayBuffer;
  sizeBytes: number;
  from: number;
  most: number;
  elapsedTenths: number;
}

/** Result of loading a slice. */
export interface LoadReply {
  /** Offset; -1 if truncated. */
  next: number;
  taken: number;
  left: number;
  malformed: number;
}
