/** Commit that this nodens was made of. Compiling it puts the real one here; sources say "unknown". */
export const COMMIT: string = "unknown";
