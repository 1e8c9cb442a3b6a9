import { type Command, flagValue, sentence } from "../command.ts";
import { type Flag, FlagError } from "../flags.ts";
import {
  DATE,
  DESCRIPTION,
  ENVIRONMENT,
  EXAMPLES,
  FILES,
  SIGNALS,
  type Told,
} from "./manual_text.ts";
import type { Output } from "../output.ts";
import { VERSION } from "../version.ts";

/** Width of a line of the source, with room for what must be escaped. */
const MAX_WIDTH = 70;

/** `nodens man`: prints the manual page. Returns 0. Throws `FlagError`. */
export function runMan(
  [first]: readonly string[],
  output: Output,
  commands: readonly Command[],
): number {
  if (first !== undefined) throw new FlagError(`"${first}" follows, but nothing is expected`);
  output.out(manualPage(commands, VERSION));
  return 0;
}

/** The manual page of these commands, in mdoc(7), which mandoc and groff read. */
export function manualPage(commands: readonly Command[], version: string): string {
  const serve = commands.find(({ name }) => name === "")!;
  const named = commands.filter(({ name }) => name !== "");
  return [
    `.\\" nodens ${version}, printed by "nodens man".`,
    `.Dd ${DATE}`,
    ".Dt NODENS 1",
    `.Os nodens ${version}`,
    ".Sh NAME",
    ".Nm nodens",
    ".Nd DNS cache for every node",
    ".Sh SYNOPSIS",
    ...commands.flatMap(synopsis),
    ".Sh DESCRIPTION",
    ...paragraphs(DESCRIPTION),
    ".Pp",
    "Flags take one dash or two, and their value after a blank or an equals sign:",
    ...flagList(serve.flags),
    ".Sh COMMANDS",
    ...named.flatMap(commandSection),
    ".Sh SIGNALS",
    ...toldList(SIGNALS, "It"),
    ".Sh ENVIRONMENT",
    ...toldList(ENVIRONMENT, "It Ev"),
    ".Sh FILES",
    ...toldList(FILES, "It Pa"),
    ".Sh EXIT STATUS",
    ...codeList(serve),
    ".Sh EXAMPLES",
    ...EXAMPLES.flatMap(({ name, meaning }, i) => [
      ...(i === 0 ? [] : [".Pp"]),
      text(`${meaning}:`),
      `.Dl ${argument(name)}`,
    ]),
    ".Sh SEE ALSO",
    ".Xr dig 1 ,",
    ".Xr resolv.conf 5 ,",
    ".Xr systemd.service 5",
    "",
  ].join("\n");
}

function synopsis({ name, forms }: Command): string[] {
  return forms.flatMap(({ args }) => [
    ".Nm",
    ...[name, args].filter((part) => part !== "").map((part) => text(part)),
  ]);
}

function commandSection(command: Command): string[] {
  const { name, summary, description = [], flags, plusOptions = [] } = command;
  return [
    `.Ss nodens ${argument(name)}`,
    text(sentence(summary)),
    ...description.flatMap((paragraph) => [".Pp", text(paragraph)]),
    ...flagList(flags),
    ...(plusOptions.length === 0 ? [] : plusList(plusOptions)),
    ".Pp",
    "Exit status:",
    ...codeList(command),
  ];
}

function flagList(flags: readonly Flag[]): string[] {
  return list(flags.map((flag) => {
    const names = [flag.name, ...(flag.alias === undefined ? [] : [flag.alias])];
    const spelt = names.map((name) => `Fl ${argument(name)}`).join(" , ");
    const value = flagValue(flag);
    return [`It ${spelt}${value === "" ? "" : ` Ar ${argument(value)}`}`, meaning(flag)];
  }));
}

function plusList(options: readonly Flag[]): string[] {
  return list(options.map((option) => {
    const value = flagValue(option);
    return [`It Cm ${argument(`+${option.name}${value && `=${value}`}`)}`, meaning(option)];
  }));
}

function codeList({ exitCodes }: Command): string[] {
  return list(exitCodes.map(([code, what]) => [`It ${code}`, sentence(what)]));
}

function toldList(items: readonly Told[], macro: string): string[] {
  return list(items.map(({ name, meaning }) => [`${macro} ${argument(name)}`, meaning]));
}

function list(items: [head: string, body: string][]): string[] {
  return [
    ".Bl -tag -width Ds",
    ...items.flatMap(([head, body]) => [`.${head}`, text(body)]),
    ".El",
  ];
}

function paragraphs(all: readonly string[]): string[] {
  return all.flatMap((paragraph, i) => [...(i === 0 ? [] : [".Pp"]), text(paragraph)]);
}

function meaning({ help, choices = [], default: value }: Flag): string {
  const shown = value === "" || value === false ? "" : ` The default is ${value}.`;
  // A value keeps its spelling at the beginning of a sentence.
  const told = choices.includes(help.split(/[ ,]/)[0]!) ? `${help}.` : sentence(help);
  return `${told}${shown}`;
}

/** Lines of text: nothing in them is taken for a request, and every sentence begins a line. */
function text(words: string): string {
  return words.replace(/([.!?]) (?=[A-Z])/g, "$1\n").split("\n").flatMap(wrapped)
    .map((line) => escaped(line).replace(/^[.']/, "\\&$&")).join("\n");
}

/** A sentence as lines of a width that mandoc finds good. */
function wrapped(sentence: string): string[] {
  const lines = [""];
  for (const word of sentence.split(" ")) {
    const line = lines.at(-1)!;
    if (line === "") lines[lines.length - 1] = word;
    else if (line.length + word.length < MAX_WIDTH) lines[lines.length - 1] = `${line} ${word}`;
    else lines.push(word);
  }
  return lines;
}

/** One argument of a macro, which is not a macro itself. */
function argument(words: string): string {
  const safe = escaped(words).replaceAll('"', "\\(dq");
  return /\s/.test(safe) ? `"${safe}"` : `\\&${safe}`;
}

function escaped(words: string): string {
  return words.replaceAll("\\", "\\e").replaceAll("-", "\\-");
}
