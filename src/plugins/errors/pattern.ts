import { RE2JS } from "re2js";

/** A compiled expression, or why it does not compile. */
export type CompiledPattern =
  | { matches: (text: string) => boolean; error: null }
  | { matches: null; error: string };

/** Compiles an expression in Go's syntax; matching takes linear time whatever the text. */
export function compilePattern(pattern: string): CompiledPattern {
  try {
    const compiled = RE2JS.compile(pattern);
    return { matches: (text) => compiled.matcher(text).find(), error: null };
  } catch (error) {
    return { matches: null, error: error instanceof Error ? error.message : String(error) };
  }
}
