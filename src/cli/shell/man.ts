import { type Call, type Command, type CommandIo, sentence, shownFlags } from "../command.ts";
import type { Flag, Flags } from "../flags.ts";
import { VERSION } from "../version.ts";
import { DATE, DESCRIPTION, ENVIRONMENT, EXAMPLES, FILES, SIGNALS } from "./manual_text.ts";

const MAX_WIDTH = 70;

export async function run(_: Call, { output, commands }: CommandIo): Promise<number> {
  output.out(manualPage(await commands(), VERSION));
  return 0;
}

export function manualPage(commands: readonly Command[], version: string): string {
  const [serve, ...named] = commands as [Command, ...Command[]];
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
    ...DESCRIPTION.flatMap((paragraph) => [text(paragraph), ".Pp"]),
    "Flags take one dash or two, and their value after a blank or an equals sign:",
    ...flagList(serve.flags),
    ".Sh COMMANDS",
    ...named.flatMap(commandSection),
    ".Sh SIGNALS",
    ...namedList(SIGNALS, "It"),
    ".Sh ENVIRONMENT",
    ...namedList(ENVIRONMENT, "It Ev"),
    ".Sh FILES",
    ...namedList(FILES, "It Pa"),
    ".Sh EXIT STATUS",
    ...codeList(serve),
    ".Sh EXAMPLES",
    ...EXAMPLES.flatMap(([example, meaning], i) => [
      ...(i === 0 ? [] : [".Pp"]),
      text(`${meaning}:`),
      `.Dl ${argument(example)}`,
    ]),
    ".Sh SEE ALSO",
    ".Xr dig 1 ,",
    ".Xr resolv.conf 5 ,",
    ".Xr systemd.service 5",
    "",
  ].join("\n");
}

function synopsis({ name, forms }: Command): string[] {
  return forms.flatMap(({ args }) => [".Nm", ...[name, args].filter(Boolean).map(text)]);
}

function commandSection(command: Command): string[] {
  const { name, summary, description = [], plusOptions } = command;
  return [
    `.Ss nodens ${argument(name)}`,
    text(sentence(summary)),
    ...description.flatMap((paragraph) => [".Pp", text(paragraph)]),
    ...flagList(shownFlags(command)),
    ...(plusOptions === undefined ? [] : plusList(plusOptions)),
    ".Pp",
    "Exit status:",
    ...codeList(command),
  ];
}

function flagList(flags: Flags): string[] {
  return list(
    Object.entries(flags).map(([name, flag]) => {
      const spelt = names(name, flag).map((one) => `Fl ${argument(one)}`).join(" , ");
      return [`It ${spelt}${flag.value && ` Ar ${argument(flag.value)}`}`, meaning(flag)];
    }),
  );
}

function plusList(options: Flags): string[] {
  return list(
    Object.entries(options).map(([name, flag]) => {
      const value = flag.value && `=${flag.value}`;
      const spelt = names(name, flag).map((one) => `Cm ${argument(`+${one}${value}`)}`).join(" , ");
      return [`It ${spelt}`, meaning(flag)];
    }),
  );
}

function names(name: string, { alias }: Flag): string[] {
  return alias === undefined ? [name] : [name, alias];
}

function codeList({ exitCodes }: Command): string[] {
  return list(exitCodes.map(([code, what]) => [`It ${code}`, sentence(what)]));
}

function namedList(items: Readonly<Record<string, string>>, macro: string): string[] {
  return list(Object.entries(items).map(([name, what]) => [`${macro} ${argument(name)}`, what]));
}

function list(items: [head: string, body: string][]): string[] {
  return [
    ".Bl -tag -width Ds",
    ...items.flatMap(([head, body]) => [`.${head}`, text(body)]),
    ".El",
  ];
}

function meaning({ help, choices = [], default: value }: Flag): string {
  const shown = value === "" || value === false ? "" : ` The default is ${value}.`;
  // A value at the beginning of a sentence keeps its spelling.
  const words = choices.includes(help.split(/[ ,]/)[0]!) ? `${help}.` : sentence(help);
  return `${words}${shown}`;
}

/** Text without requests; every sentence begins a line. */
function text(words: string): string {
  return words.replace(/([.!?]) (?=[A-Z])/g, "$1\n").split("\n").flatMap(wrapped)
    .map((line) => escaped(line).replace(/^[.']/, "\\&$&")).join("\n");
}

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
