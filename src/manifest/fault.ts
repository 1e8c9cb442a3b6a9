/** Something wrong in a manifest, at a line counted from 1. */
export interface ManifestFault {
  line: number;
  /** What is wrong and, in brackets, what would do. */
  what: string;
}

/** Most faults that are told of at once. */
export const MAX_FAULTS = 100;
