import { LibraryMissing } from "../controller.ts";

/** The library of Go's regular expressions, once it is needed: it takes 4 MB that few Corefiles use. */
let library: typeof import("re2js") | null = null;

/** A compiled expression, or why it does not compile. */
export type CompiledPattern =
  | { matches: (text: string) => boolean; error: null }
  | { matches: null; error: string };

/** Loads what `compilePattern` needs. */
export async function loadPatterns(): Promise<void> {
  library ??= await import("re2js");
}

/**
 * Compiles an expression in Go's syntax; matching takes linear time whatever the text.
 *
 * Throws `LibraryMissing` if `loadPatterns` has not been awaited.
 */
export function compilePattern(pattern: string): CompiledPattern {
  if (library === null) throw new LibraryMissing(loadPatterns);
  try {
    const compiled = library.RE2JS.compile(pattern);
    return { matches: (text) => compiled.matcher(text).find(), error: null };
  } catch (error) {
    return { matches: null, error: error instanceof Error ? error.message : String(error) };
  }
}
