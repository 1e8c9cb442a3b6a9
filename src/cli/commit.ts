/** Commit of the sources, inserted when compiling. */
export const COMMIT: string = "unknown";
