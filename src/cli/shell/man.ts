import { type Call, type Command, type CommandIo, sentence, shownFlags } from "../command.ts";
import { type Flag, type Flags, namesOf } from "../flags.ts";
import { VERSION } from "../version.ts";
import { wrap } from "../wrap.ts";

const DATE = "November 25, 2026";

const DESCRIPTION: readonly string[] = [
  "nodens is a DNS cache for every node. It reads CoreDNS's configuration, the Corefile, answers from" +
  " memory, forwards the rest, and refreshes popular names before they expire.",
  "Without a command it serves until a signal ends it.",
];

type Meanings = Readonly<Record<string, string>>;

const SIGNALS: Meanings = {
  "SIGHUP, SIGUSR1":
    "Read the Corefile again; one with faults changes nothing. SIGUSR1 may take half a second to" +
    " be noticed.",
  "SIGTERM, SIGINT": "Stop in order. A second one hurries, a third ends the process at once.",
  SIGQUIT: "Print the state, then stop in order.",
};

const ENVIRONMENT: Meanings = {
  DENO_DIR: "Folder of the runtime; it or HOME has to be set. Nothing is stored there.",
  LISTEN_FDS: "Sockets that systemd has opened, with LISTEN_PID and LISTEN_FDNAMES.",
  NOTIFY_SOCKET: "Where nodens tells systemd that it is ready, reloads or stops.",
  WATCHDOG_USEC: "Time within which systemd expects a sign of life from the data planes.",
  JOURNAL_STREAM: "If it names the standard output, lines of the log begin with their priority.",
  NO_COLOR: "No colours in messages of the runtime.",
};

const FILES: Meanings = {
  Corefile: "Served if no flag names another file.",
  "/etc/nodens/Corefile": "Served by the systemd service.",
  "/etc/resolv.conf": "Servers of the host, for query, and for a forward that names the file.",
};

const EXAMPLES: Meanings = {
  "nodens -conf Corefile -p 1053":
    "Serve a Corefile, with 1053 as the port of blocks that name none",
  "nodens check Corefile": "Look for faults in it",
  "nodens query example.org MX @127.0.0.1 -p 1053 +short": "Ask the server that was started above",
  "nodens redirect install -n -to 169.254.20.10":
    "Print the commands that send the host's queries to nodens",
};

const MAX_WIDTH = 70;

/** `nodens man`. */
export async function run(_: Call, { output, commands }: CommandIo): Promise<number> {
  output.out(manualPage(await commands(), VERSION));
  return 0;
}

/** The manual page in mdoc(7). */
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
    ...flagList(serve.flags, "-"),
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
    ...Object.entries(EXAMPLES).flatMap(([example, meaning], i) => [
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
    ...flagList(shownFlags(command), "-"),
    ...(plusOptions === undefined ? [] : flagList(plusOptions, "+")),
    ".Pp",
    "Exit status:",
    ...codeList(command),
  ];
}

function flagList(flags: Flags, sign: "-" | "+"): string[] {
  return list(
    Object.entries(flags).map(([name, flag]) => {
      const { value } = flag;
      const spelt = namesOf(name, flag).map((one) =>
        sign === "-" ? `Fl ${argument(one)}` : `Cm ${argument(`+${one}${value && `=${value}`}`)}`
      );
      const operand = sign === "-" && value !== "" ? ` Ar ${argument(value)}` : "";
      return [`It ${spelt.join(" , ")}${operand}`, meaning(flag)];
    }),
  );
}

function codeList({ exitCodes }: Command): string[] {
  return list(exitCodes.map(([code, what]) => [`It ${code}`, sentence(what)]));
}

function namedList(items: Meanings, macro: string): string[] {
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
  const words = choices.includes(help.split(/[ ,]/)[0]!) ? `${help}.` : sentence(help);
  return `${words}${shown}`;
}

function text(words: string): string {
  return words.replace(/([.!?]) (?=[A-Z])/g, "$1\n").split("\n").flatMap((line) =>
    wrap(line, MAX_WIDTH)
  )
    .map((line) => escaped(line).replace(/^[.']/, "\\&$&")).join("\n");
}

function argument(words: string): string {
  const safe = escaped(words).replaceAll('"', "\\(dq");
  return /\s/.test(safe) ? `"${safe}"` : `\\&${safe}`;
}

function escaped(words: string): string {
  return words.replaceAll("\\", "\\e").replaceAll("-", "\\-");
}
