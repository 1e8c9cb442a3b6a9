import { compilePattern } from "../pattern.ts";
import type { NameMatch } from "./options.ts";

/** A compiled match; names are in presentation format, lower case, with their closing dot. */
export interface NameRule {
  matches(name: string): boolean;
  /** The name with the replacement in the place of what matched; null if it does not match. */
  replace(name: string, to: string): string | null;
}

/** Compiles a match, which the set-up has checked. */
export function compileMatch({ how, text }: NameMatch): NameRule {
  if (how === "regex") return patternRule(text);
  const test = {
    exact: (name: string) => name === text,
    prefix: (name: string) => name.startsWith(text),
    suffix: (name: string) => name.endsWith(text),
    substring: (name: string) => name.includes(text),
  }[how];
  const put = {
    exact: (_: string, to: string) => to,
    prefix: (name: string, to: string) => to + name.slice(text.length),
    suffix: (name: string, to: string) => name.slice(0, name.length - text.length) + to,
    substring: (name: string, to: string) => name.replaceAll(text, to),
  }[how];
  return { matches: test, replace: (name, to) => test(name) ? put(name, to) : null };
}

/** A rule by an expression, whose groups `{0}`, `{1}`, ... stand in the replacement. */
export function patternRule(pattern: string): NameRule {
  const compiled = compilePattern(pattern);
  if (compiled.error !== null) throw new Error(`Cannot compile ${pattern}: ${compiled.error}`);
  return {
    matches: compiled.matches,
    replace(name, to) {
      const groups = compiled.groups(name);
      if (groups === null) return null;
      return to.replace(/\{(\d+)\}/g, (word, number) => groups[Number(number)] ?? word);
    },
  };
}
