import { ENVIRONMENT } from "./environment.ts";
import { FUNCTIONS, OVER_LISTS, UNSUPPORTED } from "./functions.ts";

/** Words that may follow `not`. */
export const NEGATED: ReadonlySet<string> = new Set([
  ...["in", "matches", "contains", "startsWith", "endsWith"],
]);
/** Not allowed as variables. */
const WORDS: ReadonlySet<string> = new Set([
  ...[...NEGATED, "true", "false", "nil", "not", "and", "or", "let", "if", "else"],
]);

/** Names that an expression may use. */
export interface Names {
  /** By name: the number of arguments. */
  readonly functions: ReadonlyMap<string, number>;
  readonly variables: ReadonlySet<string>;
}

/** Names for the expressions after some variables. */
export function namesOf(variables: readonly { name: string }[]): Names {
  return { functions: ENVIRONMENT, variables: new Set(variables.map(({ name }) => name)) };
}

/** Why a variable cannot have a name; null if it can. */
export function nameFault(name: string, { functions, variables }: Names): string | null {
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) return "letters, digits and _ make a name";
  if (variables.has(name)) return "it is set twice";
  if (WORDS.has(name)) return "it is a word of the language";
  const known = [functions, FUNCTIONS, OVER_LISTS, UNSUPPORTED];
  return known.some((names) => names.has(name)) ? "it is a function" : null;
}
