import { LibraryMissing } from "./controller.ts";
import type { Library } from "./traits.ts";

/** Go's regular expressions; loaded when needed, because it takes 4 MB. */
let library: typeof import("re2js") | null = null;

/** A compiled expression, or why it does not compile. */
export type CompiledPattern =
  | {
    matches: (text: string) => boolean;
    /** The whole first match and its groups; null without a match. */
    groups: (text: string) => string[] | null;
    /** Number of groups, without the whole. */
    groupCount: number;
    /** Numbers of the named groups. */
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

/**
 * Compiles an expression in Go's syntax, which matches in linear time. Throws `LibraryMissing` before
 * `loadPatterns`.
 */
export function compilePattern(pattern: string): CompiledPattern {
  if (library === null) throw new LibraryMissing(loadPatterns);
  try {
    const compiled = library.RE2JS.compile(pattern);
    return {
      matches: (text) => compiled.matcher(text).find(),
      groups: (text) => {
        const matcher = compiled.matcher(text);
        if (!matcher.find()) return null;
        // An unmatched group is empty, as in Go.
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
