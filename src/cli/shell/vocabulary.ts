import { type Command, flagValue, namesFile } from "../command.ts";
import type { Flag } from "../flags.ts";

/** The shells that `nodens completion` knows. */
export const SHELLS = ["bash", "zsh", "fish"] as const;

/** How a value is completed: by words, by files, or not at all. */
export type Values = { words: readonly string[] } | { files: true } | null;

/** A flag as it stands on a command line. */
export interface Word {
  /** Every spelling: `-dns.port`, `--dns.port`, `-p`, `--p`. */
  spellings: string[];
  help: string;
  /** False for one that needs no value. */
  takesValue: boolean;
  values: Values;
  /** Of one that needs no value: what it is where it does not stand there. */
  onByDefault: boolean;
}

/** The flags of a command as words. */
export function flagWords({ flags, oneDash }: Command): Word[] {
  return flags.map((flag) => {
    const names = [flag.name, ...(flag.alias === undefined ? [] : [flag.alias])];
    const dashes = oneDash === true ? ["-"] : ["-", "--"];
    return word(flag, names.flatMap((name) => dashes.map((dash) => dash + name)));
  });
}

/** The words of a command that begin with a plus sign. */
export function plusWords({ plusOptions = [] }: Command): Word[] {
  return plusOptions.map((option) => word(option, [`+${option.name}`]));
}

/** What may stand in the place of an operand. */
export function operandValues(command: Command): Values[] {
  return command.operands.map(({ name, values }) =>
    values !== undefined ? { words: values } : namesFile(name) ? { files: true } : null
  );
}

function word(flag: Flag, spellings: string[]): Word {
  const files = namesFile(flagValue(flag));
  return {
    spellings,
    help: flag.help,
    takesValue: flag.kind !== "boolean",
    values: flag.choices !== undefined ? { words: flag.choices } : files ? { files: true } : null,
    onByDefault: flag.default === true,
  };
}
