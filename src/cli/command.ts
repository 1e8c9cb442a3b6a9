import { type Flag, FlagError } from "./flags.ts";
import type { Output } from "./output.ts";
import type { Signals } from "./signals.ts";

/** A word of a command line that is not a flag. */
export interface Operand {
  /** As `-h` calls it: `FILE`, `[ADDRESS]`. */
  readonly name: string;
  /** Words that fit, where they are known. */
  readonly values?: readonly string[];
}

/** What a command runs with. */
export interface CommandIo {
  readonly output: Output;
  /** All commands; loaded only if one needs them. */
  readonly commands: () => Promise<readonly Command[]>;
  /** Signals to the process, which serving alone handles; null for other commands. */
  readonly signals: Signals | null;
  /** Ends the process at once. */
  readonly exit: (code: number) => never;
}

/** Runs a command and returns the exit code. Throws `FlagError` for a wrong command line. */
export type Run = (args: readonly string[], io: CommandIo) => number | Promise<number>;

/**
 * One command, as data: main.ts, help, manual page and completions are made from it.
 *
 * A room of `src/cli` has its description in `command.ts`; `commands.ts` has the list of all.
 */
export interface Command {
  /** First word of the command line; "" for what nodens does without one. */
  readonly name: string;
  /** One line, without a full stop. */
  readonly summary: string;
  /** What follows the name, one entry for each way to call it. */
  readonly forms: readonly CommandForm[];
  /** Further paragraphs for the manual page. */
  readonly description?: readonly string[];
  readonly flags: readonly Flag[];
  /** Flags take one dash and no other number; else one or two. */
  readonly oneDash?: boolean;
  /** Words that begin with a plus sign, as dig has them; the names are without it. */
  readonly plusOptions?: readonly Flag[];
  readonly operands: readonly Operand[];
  readonly exitCodes: readonly ExitCode[];
  /** Exit code for a command line that cannot be understood; default: 2. */
  readonly usageCode?: number;
  /** Loads what runs it. */
  load(): Promise<Run>;
}

/** A way to call a command. */
export interface CommandForm {
  readonly args: string;
  /** Shown if a command has several forms. */
  readonly summary?: string;
}

/** What the shell is told, and what it means. */
export type ExitCode = readonly [code: number, meaning: string];

/** `nodens check [--json] FILE`, one line a form; what further lines begin with is as long as `Usage: `. */
export function usageLines(command: Command): string {
  const width = Math.max(...command.forms.map(({ args }) => args.length));
  return command.forms.map(({ args, summary }, i) => {
    const line = `nodens ${command.name === "" ? "" : `${command.name} `}`;
    const told = summary === undefined ? args : `${args.padEnd(width + 3)}${summary}`;
    return `${i === 0 ? "" : "       "}${line}${told}`;
  }).join("\n");
}

/**
 * Runs a command, and answers a wrong command line and the wish for help.
 *
 * @param load - takes the place of `command.load` in tests
 */
export async function runCommand(
  command: Command,
  args: readonly string[],
  { io, load = command.load }: { io: CommandIo; load?: Command["load"] },
): Promise<number> {
  const { name, usageCode = 2 } = command;
  // Serving takes -h among other flags.
  if (name !== "" && args.some((argument) => /^--?h(elp)?$/.test(argument))) {
    io.output.out(commandHelp(command));
    return 0;
  }
  const run = await load();
  try {
    return await run(args, io);
  } catch (error) {
    if (!(error instanceof FlagError)) throw error;
    const { message } = error;
    io.output.err(
      name === ""
        ? `nodens: ${message}\nRun "nodens -h" for all flags.\n`
        : `nodens ${name}: ${message}\n${usageText(command)}`,
    );
    return usageCode;
  }
}

/** What a wrong command line is answered with, after its fault. */
export function usageText(command: Command): string {
  return `Usage: ${usageLines(command)}\n`;
}

/** What `nodens COMMAND -h` prints. */
export function commandHelp(command: Command): string {
  const parts = [`${usageText(command)}\n${sentence(command.summary)}\n`];
  if (command.flags.length > 0) parts.push(`Flags:\n${helpText(command.flags)}\n`);
  const options = command.plusOptions ?? [];
  if (options.length > 0) parts.push(`Options:\n${helpText(options, "+")}\n`);
  return parts.join("\n");
}

/** Words as a sentence. */
export function sentence(words: string): string {
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}.`;
}

/** A table of flags as a person reads it. */
export function helpText(table: readonly Flag[], sign = "-"): string {
  return table.map((flag) => {
    const { default: value, help } = flag;
    const shown = value === "" || value === false ? "" : ` (default ${value})`;
    return `  ${flagNames(flag, sign)}\n        ${help}${shown}`;
  }).join("\n");
}

/** `-dns.port, -p PORT`, `+bufsize=N`. */
export function flagNames(flag: Flag, sign = "-"): string {
  const names = [flag.name, ...(flag.alias === undefined ? [] : [flag.alias])];
  const value = flagValue(flag);
  const argument = value === "" ? "" : `${sign === "+" ? "=" : " "}${value}`;
  return `${names.map((name) => sign + name).join(", ")}${argument}`;
}

/** What the value of a flag is called; "" where it takes none. */
export function flagValue({ kind, value }: Flag): string {
  if (kind === "boolean") return "";
  return value ?? (kind === "number" ? "NUMBER" : "TEXT");
}

/** Whether a value is a file or a folder, as its name says. */
export function namesFile(value: string): boolean {
  return /^\[?(FILE|FOLDER)\]?$/.test(value);
}
