import { didYouMean, nearest } from "../corefile/nearest.ts";

/** One flag, as data: the parser, help, completions and the manual page come from the same table. */
export interface Flag {
  name: string;
  kind: "text" | "number" | "boolean";
  /** Another name for the same flag. */
  alias?: string;
  default: string | number | boolean;
  /** What its value is called in help (`FILE`, `PORT`); else `TEXT` or `NUMBER`. */
  value?: string;
  /** The only values that are accepted. */
  choices?: readonly string[];
  /** What it does, for `-h`. */
  help: string;
}

/** Values by flag name, each of the type that the table says. */
export type FlagValues<T extends readonly Flag[]> = {
  [F in T[number] as F["name"]]: FlagValue<F>;
};

type FlagValue<F extends Flag> = F["kind"] extends "boolean" ? boolean
  : F["kind"] extends "number" ? number
  : F extends { choices: readonly (infer Choice)[] } ? Choice
  : string;

/** The flag that every command has. */
export const HELP_FLAG = {
  name: "h",
  kind: "boolean",
  alias: "help",
  default: false,
  help: "print this and exit",
} as const satisfies Flag;

/** A command line that cannot be understood; the message says what would do. */
export class FlagError extends Error {}

/**
 * Reads Go-style flags: one dash or two, `-flag value` or `-flag=value`; `-quiet` alone is true.
 *
 * Throws `FlagError` for an unknown flag, a value that is missing, or one that does not fit.
 */
export function parseFlags<const T extends readonly Flag[]>(
  args: readonly string[],
  table: T,
): { values: FlagValues<T>; given: Set<string>; rest: string[] } {
  const values: Record<string, Flag["default"]> = Object.fromEntries(
    table.map((flag) => [flag.name, flag.default]),
  );
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
    const name = match[1]!;
    const flag = table.find((one) => one.name === name || one.alias === name);
    if (flag === undefined) {
      const names = table.flatMap((one) =>
        one.alias === undefined ? [one.name] : [one.name, one.alias]
      );
      throw new FlagError(`unknown flag -${name}${didYouMean(name, names).replace('"', '"-')}`);
    }
    let text = match[2];
    if (text === undefined && flag.kind === "boolean") text = "true";
    if (text === undefined) {
      text = args[++i];
      if (text === undefined) throw new FlagError(`flag -${name} needs a value (-${name} VALUE)`);
    }
    values[flag.name] = convert(flag, name, text);
    given.add(flag.name);
  }
  return { values: values as FlagValues<T>, given, rest };
}

function convert(flag: Flag, name: string, text: string): string | number | boolean {
  if (flag.choices !== undefined && !flag.choices.includes(text)) {
    const hint = nearest(text, flag.choices);
    const known = hint === null ? flag.choices.join(", ") : `did you mean "${hint}"?`;
    throw new FlagError(`flag -${name}: "${text}" is unknown (${known})`);
  }
  if (flag.kind === "text") return text;
  if (flag.kind === "number") {
    if (!/^[0-9]+$/.test(text)) {
      throw new FlagError(`flag -${name}: "${text}" is not a whole number`);
    }
    return Number(text);
  }
  if (["true", "t", "1"].includes(text.toLowerCase())) return true;
  if (["false", "f", "0"].includes(text.toLowerCase())) return false;
  throw new FlagError(`flag -${name}: "${text}" is neither true nor false`);
}
