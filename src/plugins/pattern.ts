import { Lazy } from "../base/lazy.ts";
import type { Dispenser } from "../corefile/dispenser.ts";
import { quote } from "../corefile/quote.ts";

/** CoreDNS's maximum, in characters. */
const MAX_LENGTH = 10_000;

/** Go's regular expressions: 4 MB. */
export const PATTERNS = new Lazy(() => import("re2js"));

/** A compiled expression. */
export interface Pattern {
  matches(text: string): boolean;
  /** First match and its groups, or null. */
  groups(text: string): string[] | null;
  /** Without the whole match. */
  readonly groupCount: number;
  readonly names: ReadonlyMap<string, number>;
}

/** Go syntax, linear matching. Throws `SyntaxError`, or `NotLoaded` before `PATTERNS` is loaded. */
export function compilePattern(pattern: string): Pattern {
  const { RE2JS } = PATTERNS.value;
  let compiled: InstanceType<typeof RE2JS>;
  try {
    compiled = RE2JS.compile(pattern);
  } catch (error) {
    throw new SyntaxError(
      `${quote(pattern)} is not a regular expression: ${(error as Error).message}`,
    );
  }
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
  };
}

/** Of a directive. Throws `CorefileError`, beginning with `option`. */
export function readPattern(tokens: Dispenser, pattern: string, option = ""): Pattern {
  if (pattern.length > MAX_LENGTH) {
    const what = `the regular expression has ${pattern.length} characters`;
    throw tokens.error(`${option}${what} (at most ${MAX_LENGTH})`);
  }
  try {
    return compilePattern(pattern);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw tokens.error(`${option}${error.message}`);
  }
}
