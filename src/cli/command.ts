import { visibleText } from "../base/visible.ts";
import { didYouMean } from "../corefile/nearest.ts";
import { CommandError } from "./failure.ts";
import {
  type Flag,
  FlagError,
  type Flags,
  type FlagValues,
  namesOf,
  type ParsedFlags,
  parseFlags,
} from "./flags.ts";
import type { Output } from "./output.ts";
import type { Signals } from "./signals.ts";

/** A word that is not a flag. */
export interface Operand {
  readonly name: string;
  readonly values?: readonly string[];
}

/** Environment of a command. */
export interface CommandIo {
  readonly output: Output;
  readonly commands: () => Promise<readonly Command[]>;
  readonly signals: Signals | null;
  readonly exit: (code: number) => never;
}

/** Parsed command line. */
export interface Call<V = Readonly<Record<string, Flag["default"]>>> extends ParsedFlags<V> {
  readonly args: readonly string[];
}

/** Code of a command. */
export interface Program<V> {
  /** Returns the exit code. Throws `FlagError`, `CommandError`. */
  run(call: Call<V>, io: CommandIo): number | Promise<number>;
}

type ExitCode = readonly [code: number, meaning: string];

/** Command for parser, help, manual and completion. */
export interface Command<F extends Flags = Flags> {
  /** `""` for serving. */
  readonly name: string;
  readonly summary: string;
  /** Usage after the name. */
  readonly forms: readonly { readonly args: string; readonly summary?: string }[];
  readonly description?: readonly string[];
  readonly flags: F;
  readonly hiddenFlags?: readonly string[];
  readonly plusOptions?: Flags;
  readonly ownSyntax?: boolean;
  readonly operands?: readonly Operand[];
  readonly exitCodes: readonly ExitCode[];
  /** Default: 2. */
  readonly usageCode?: number;
  load(): Promise<Program<FlagValues<F>>>;
}

/** Exit code for a wrong command line. */
export const USAGE_EXIT: ExitCode = [2, "a wrong command line"];

/** Checks a command's code against its flags. */
export function command<const F extends Flags>(description: Command<F>): Command {
  return description as unknown as Command;
}

/** Runs a command; `program` replaces loaded code. */
export async function dispatchCommand(
  command: Command,
  args: readonly string[],
  { io, program }: { io: CommandIo; program?: Program<never> },
): Promise<number> {
  const { name, usageCode = USAGE_EXIT[0] } = command;
  // Serving has its own -h.
  if (name !== "" && "h" in command.flags && args.some((word) => /^--?h(elp)?$/.test(word))) {
    io.output.out(commandHelp(command));
    return 0;
  }
  const loaded = (program ?? await command.load()) as Program<Call["values"]>;
  try {
    return await loaded.run({ args, ...parseCall(command, args) }, io);
  } catch (error) {
    const where = name === "" ? "nodens" : `nodens ${name}`;
    if (error instanceof CommandError) {
      // It may quote what others sent.
      io.output.err(`${where}: ${visibleText(error.message)}\n`);
      return 1;
    }
    if (!(error instanceof FlagError)) throw error;
    const usage = name === "" ? 'Run "nodens -h" for all flags.\n' : usageText(command);
    io.output.err(`${where}: ${error.message}\n${usage}`);
    return usageCode;
  }
}

function parseCall(
  { flags, operands = [], ownSyntax }: Command,
  args: readonly string[],
): ParsedFlags<Call["values"]> {
  if (ownSyntax === true) return parseFlags([], flags);
  const parsed = parseFlags(args, flags);
  for (const [i, operand] of operands.entries()) {
    const word = parsed.rest[i];
    const known = operand.values?.join(", ");
    if (word === undefined) {
      if (operand.name.startsWith("[")) break;
      throw new FlagError(`${operand.name} is missing${known === undefined ? "" : ` (${known})`}`);
    }
    if (operand.values !== undefined && !operand.values.includes(word)) {
      throw new FlagError(unknownWord(operand.name, word, operand.values));
    }
  }
  const extra = parsed.rest[operands.length];
  if (extra === undefined) return parsed;
  const hint = operands.length === 0 ? " (flags begin with -)" : "";
  throw new FlagError(`unexpected argument ${JSON.stringify(extra)}${hint}`);
}

/** Unknown word with suggestions. */
export function unknownWord(name: string, word: string, known: readonly string[]): string {
  const hint = didYouMean(word, known) || ` (${known.join(", ")})`;
  return `unknown ${name.replace(/[[\]]/g, "").toLowerCase()} ${JSON.stringify(word)}${hint}`;
}

function usageText({ name, forms }: Command): string {
  const width = Math.max(...forms.map(({ args }) => args.length));
  const lines = forms.map(({ args, summary }) =>
    `nodens ${name} ${summary === undefined ? args : `${args.padEnd(width + 3)}${summary}`}`
  );
  return `Usage: ${lines.join("\n       ").trimEnd()}\n`;
}

/** Output of `nodens COMMAND -h`. */
export function commandHelp(command: Command): string {
  const { summary, plusOptions } = command;
  const parts = [`${usageText(command)}\n${sentence(summary)}\n`];
  parts.push(`Flags:\n${helpText(shownFlags(command))}\n`);
  if (plusOptions !== undefined) parts.push(`Options:\n${helpText(plusOptions, "+")}\n`);
  return parts.join("\n");
}

/** Flags in help and completion. */
export function shownFlags({ flags, hiddenFlags = [] }: Command): Flags {
  return Object.fromEntries(Object.entries(flags).filter(([name]) => !hiddenFlags.includes(name)));
}

/** Formats words as a sentence. */
export function sentence(words: string): string {
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}.`;
}

/** A table of flags as help. */
export function helpText(table: Flags, sign: "-" | "+" = "-"): string {
  return Object.entries(table).map(([name, flag]) => {
    const { default: value, help } = flag;
    const shown = value === "" || value === false ? "" : ` (default ${value})`;
    return `  ${spelling(name, flag, sign)}\n        ${help}${shown}`;
  }).join("\n");
}

/** `-dns.port, -p PORT`, `+bufsize=N`. */
export function spelling(name: string, flag: Flag, sign: "-" | "+"): string {
  const names = namesOf(name, flag).map((one) => sign + one).join(", ");
  return flag.value === "" ? names : `${names}${sign === "+" ? "=" : " "}${flag.value}`;
}
