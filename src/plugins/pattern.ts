import { LibraryMissing } from "./controller.ts";
import type { Library } from "./traits.ts";

/** Go's regular expressions: 4 MB, loaded on demand. */
let library: typeof import("re2js") | null = null;

/** Compiled expression or error. */
export type CompiledPattern =
  | {
    matches: (text: string) => boolean;
    /** First match and its groups, or null. */
    groups: (text: string) => string[] | null;
    /** Without the whole match. */
    groupCount: number;
    names: ReadonlyMap<string, number>;
    error: null;
  }
  | { matches: null; error: string };

/** Loads the library of `compilePattern`. */
export async function loadPatterns(): Promise<void> {
  library ??= await import("re2js");
}

/** The library, as a trait. */
export const PATTERNS: Library = { load: loadPatterns };

/** Compiles Go syntax; matching is linear. Throws `LibraryMissing` before `loadPatterns`. */
export function compilePattern(pattern: string): CompiledPattern {
  if (library === null) throw new LibraryMissing(loadPatterns);
  try {
    const compiled = library.RE2JS.compile(pattern);
    return {
      matches: (text) => compiled.matcher(text).find(),
      groups: (text) => {
        const matcher = compiled.matcher(text);
        if (!matcher.find()) return null;
        // Unmatched groups are empty, as in Go.
        return Array.from({ length: compiled.groupCount() + 1 }, (_, i) => matcher.group(i) ?? "");
      },
      groupCount: compiled.groupCount(),
      names: new Map(Object.entries(compiled.namedGroups())),
      error: null,
    };
  } catch (error) {
    return { matches: null, error: error instanceof Error ? error.message : String(error) };
  }
}
