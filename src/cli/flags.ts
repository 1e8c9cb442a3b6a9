import { didYouMean } from "../corefile/nearest.ts";

/** Inclusive bounds. */
export interface Range {
  readonly min: number;
  readonly max: number;
}

/** One flag of a table. */
export interface Flag<V extends string | number | boolean = string | number | boolean> {
  readonly default: V;
  readonly help: string;
  /** For help; "" for a boolean. */
  readonly value: string;
  readonly alias?: string;
  readonly choices?: readonly string[];
  readonly range?: Range;
}

/** A table of flags by name. */
export type Flags = Readonly<Record<string, Flag>>;

/** Values of a table. */
export type FlagValues<T extends Flags> = { readonly [N in keyof T]: T[N]["default"] };

const PORT_RANGE: Range = { min: 1, max: 65535 };

/** `-h` of every command. */
export const HELP_FLAG: Flag<boolean> = {
  default: false,
  help: "print this and exit",
  value: "",
  alias: "help",
};

/** Wrong command line, with remedy. */
export class FlagError extends Error {}

/** A wrong value of a flag. */
export function flagFault(name: string, why: string): FlagError {
  return new FlagError(`flag -${name}: ${why}`);
}

/** A text flag. */
export function text(value: string, help: string, fallback = ""): Flag<string> {
  return { default: fallback, help, value };
}

/** A choice; default: the first. */
export function choice<const C extends string>(
  value: string,
  choices: readonly [C, ...C[]],
  help: string,
): Flag<C> {
  return { default: choices[0], help, value, choices };
}

/** An integer flag. */
export function number(value: string, fallback: number, help: string, range?: Range): Flag<number> {
  return { default: fallback, help, value, ...range && { range } };
}

/** A port flag. */
export function port(fallback: number, help: string, alias?: string): Flag<number> {
  return { ...number("PORT", fallback, help, PORT_RANGE), ...alias !== undefined && { alias } };
}

/** A boolean flag. */
export function boolean(help: string, fallback = false): Flag<boolean> {
  return { default: fallback, help, value: "" };
}

/** The flags of a command line. */
export interface ParsedFlags<V> {
  readonly values: V;
  readonly given: ReadonlySet<string>;
  readonly rest: readonly string[];
}

/** Parses `-flag value`, `--flag=value`, `-quiet`. Throws `FlagError`. */
export function parseFlags<T extends Flags>(
  args: readonly string[],
  table: T,
): ParsedFlags<FlagValues<T>> {
  const values = defaultsOf(table);
  const given = new Set<string>();
  const rest: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const argument = args[i]!;
    if (argument === "--") {
      rest.push(...args.slice(i + 1));
      break;
    }
    const match = /^--?([^-=][^=]*)(?:=([\s\S]*))?$/.exec(argument);
    if (match === null) {
      rest.push(argument);
      continue;
    }
    const written = match[1]!;
    const [name, flag] = findFlag(table, written) ?? [];
    if (name === undefined || flag === undefined) {
      const hint = didYouMean(written, flagNames(table)).replace('"', '"-');
      throw new FlagError(`unknown flag -${written}${hint}`);
    }
    const value = match[2] ?? (flag.value === "" ? "true" : args[++i]);
    if (value === undefined) {
      throw new FlagError(`flag -${written} needs a value (-${written} VALUE)`);
    }
    values[name] = convert(flag, value, { name, written });
    given.add(name);
  }
  return { values: values as FlagValues<T>, given, rest };
}

/** The names of a flag. */
export function namesOf(name: string, { alias }: Pick<Flag, "alias">): string[] {
  return alias === undefined ? [name] : [name, alias];
}

/** All names of a table. */
export function flagNames(table: Flags): string[] {
  return Object.entries(table).flatMap(([name, flag]) => namesOf(name, flag));
}

/** A flag with its first name. */
export function findFlag(table: Flags, name: string): [name: string, flag: Flag] | undefined {
  return Object.entries(table).find(([first, flag]) => namesOf(first, flag).includes(name));
}

/** Default values of a table. */
export function defaultsOf(table: Flags): Record<string, Flag["default"]> {
  return Object.fromEntries(Object.entries(table).map(([name, flag]) => [name, flag.default]));
}

function convert(
  { default: fallback, choices, value, range }: Flag,
  text: string,
  { name, written }: { name: string; written: string },
): string | number | boolean {
  if (choices !== undefined && !choices.includes(text)) {
    const hint = didYouMean(text, choices) || ` (${choices.join(", ")})`;
    throw flagFault(written, `"${text}" is unknown${hint}`);
  }
  if (typeof fallback === "string") return text;
  if (typeof fallback === "boolean") {
    if (["true", "t", "1"].includes(text.toLowerCase())) return true;
    if (["false", "f", "0"].includes(text.toLowerCase())) return false;
    throw flagFault(written, `"${text}" is neither true nor false`);
  }
  if (!/^[0-9]+$/.test(text)) throw flagFault(written, `"${text}" is not a whole number`);
  const number = Number(text);
  if (range !== undefined && (number < range.min || number > range.max)) {
    const what = value === "PORT" ? "not a port" : "out of range";
    throw flagFault(name, `${number} is ${what} (${range.min} to ${range.max})`);
  }
  return number;
}
