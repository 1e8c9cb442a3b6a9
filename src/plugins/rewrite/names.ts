import { compilePattern } from "../pattern.ts";
import type { NameMatch } from "./options.ts";

/** Names are lower case, with the final dot. */
export interface NameRule {
  matches(name: string): boolean;
  /** Null without a match. */
  replace(name: string, to: string): string | null;
}

/** Compiles a valid match. */
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

/** `{0}`, `{1}`, ... in a replacement are its groups. */
export function patternRule(pattern: string): NameRule {
  const { matches, groups: find } = compilePattern(pattern);
  return {
    matches,
    replace(name, to) {
      const groups = find(name);
      if (groups === null) return null;
      return to.replace(/\{(\d+)\}/g, (word, number) => groups[Number(number)] ?? word);
    },
  };
}
