/** Commit of the sources. Compiling replaces "unknown". */
export const COMMIT: string = "unknown";
