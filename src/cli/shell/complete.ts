import { type Call, type Command, type CommandIo, shownFlags } from "../command.ts";
import { findFlag, type Flag, namesOf } from "../flags.ts";

type Candidate = readonly [word: string, help: string];

const FILES = ":files";

/** `nodens __complete WORD...`: prints candidates with help. */
export async function run({ args }: Call, { output, commands }: CommandIo): Promise<number> {
  const found = completions(await commands(), args);
  const lines = found === FILES ? [FILES] : found.map((candidate) => candidate.join("\t"));
  output.out(lines.map((line) => `${line}\n`).join(""));
  return 0;
}

/** Completes the last word. */
export function completions(
  [serve, ...named]: readonly Command[],
  words: readonly string[],
): Candidate[] | typeof FILES {
  const current = words.at(-1) ?? "";
  const [first, ...more] = words.slice(0, -1);
  if (first === undefined && !current.startsWith("-")) {
    return fitting(current, named.map(({ name, summary }) => [name, summary]));
  }
  const command = named.find(({ name }) => name === first);
  const before = command !== undefined ? more : first === undefined ? [] : [first, ...more];
  return argumentsOf(command ?? serve!, before, current);
}

function argumentsOf(
  command: Command,
  before: readonly string[],
  current: string,
): Candidate[] | typeof FILES {
  const { plusOptions = {}, operands = [], ownSyntax = false } = command;
  const [, spelt, text] = /^(--?[^=]+)=(.*)$/.exec(current) ?? [];
  if (spelt !== undefined) {
    const flag = flagOf(command, spelt);
    const values = flag === null ? [] : flag.value === "" ? ["true", "false"] : valuesOf(flag);
    if (values === FILES) return FILES;
    return fitting(text!, values.map((word) => [word, ""]))
      .map(([word, help]) => [`${spelt}=${word}`, help]);
  }
  let operand = 0;
  for (let i = 0; i < before.length; i++) {
    const flag = flagOf(command, before[i]!);
    if (flag !== null && flag.value !== "") {
      if (i === before.length - 1) return wordsOf(valuesOf(flag), current);
      i++;
    } else if (!/^[-+@]/.test(before[i]!)) operand++;
  }
  const flags = Object.entries(shownFlags(command)).flatMap(([name, flag]) =>
    namesOf(name, flag).flatMap((one): Candidate[] => {
      const once: Candidate = [`-${one}`, flag.help];
      return ownSyntax || one.length === 1 ? [once] : [once, [`--${one}`, flag.help]];
    })
  );
  const plus = Object.entries(plusOptions).flatMap(([name, flag]) =>
    namesOf(name, flag).map((one): Candidate => [`+${one}${flag.value && "="}`, flag.help])
  );
  if (current.startsWith("--")) return fitting(current, flags);
  if (current.startsWith("-")) return fitting(current, flags.filter(([word]) => word[1] !== "-"));
  if (current.startsWith("+")) return fitting(current, plus);
  const { name = "", values } = operands[operand] ?? {};
  const found = values ?? (isFile(name) ? FILES : []);
  if (found.length > 0 || current !== "") return wordsOf(found, current);
  return [...flags.filter(([word]) => word[1] !== "-"), ...plus];
}

function flagOf({ flags }: Command, word: string): Flag | null {
  const name = /^--?([^-=][^=]*)$/.exec(word)?.[1];
  return name === undefined ? null : findFlag(flags, name)?.[1] ?? null;
}

function valuesOf({ choices, value }: Flag): readonly string[] | typeof FILES {
  return choices ?? (isFile(value) ? FILES : []);
}

function isFile(name: string): boolean {
  return /^\[?(FILE|FOLDER)\]?$/.test(name);
}

function wordsOf(
  values: readonly string[] | typeof FILES,
  current: string,
): Candidate[] | typeof FILES {
  return typeof values === "string" ? FILES : fitting(current, values.map((word) => [word, ""]));
}

function fitting(current: string, candidates: readonly Candidate[]): Candidate[] {
  return candidates.filter(([word]) => word.startsWith(current));
}
