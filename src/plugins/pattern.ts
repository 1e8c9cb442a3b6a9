import { LibraryMissing } from "./controller.ts";
import type { Library } from "./traits.ts";

/** The library of Go's regular expressions, once it is needed: it takes 4 MB that few Corefiles use. */
let library: typeof import("re2js") | null = null;

/** A compiled expression, or why it does not compile. */
export type CompiledPattern =
  | {
    matches: (text: string) => boolean;
    /** What its groups took of the first match, the whole first; null without a match. */
    groups: (text: string) => string[] | null;
    /** Number of groups, without the whole. */
    groupCount: number;
    /** Names of groups with the groups' numbers. */
    names: ReadonlyMap<string, number>;
    error: null;
  }
  | { matches: null; error: string };

/** Loads what `compilePattern` needs. */
export async function loadPatterns(): Promise<void> {
  library ??= await import("re2js");
}

/** What a configuration with expressions needs loaded. */
export const PATTERNS: Library = { load: loadPatterns };

/**
 * Compiles an expression in Go's syntax; matching takes linear time whatever the text.
 *
 * Throws `LibraryMissing` if `loadPatterns` has not been awaited.
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
        // A group that took no part is empty, as in Go.
        return Array.from(
          { length: compiled.groupCount() + 1 },
          (_, i) => matcher.group(i) ?? "",
        );
      },
      groupCount: compiled.groupCount(),
      names: new Map(Object.entries(compiled.namedGroups())),
      error: null,
    };
  } catch (error) {
    return { matches: null, error: error instanceof Error ? error.message : String(error) };
  }
}
