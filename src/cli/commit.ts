/** Commit, inserted when compiling. */
export const COMMIT: string = "unknown";
