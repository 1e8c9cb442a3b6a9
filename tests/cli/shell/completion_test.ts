import assert from "node:assert/strict";
import { runCommand } from "../../../release/command.ts";
import { shownFlags } from "../../../src/cli/command.ts";
import { COMMANDS } from "../../../src/cli/commands.ts";
import { completions } from "../../../src/cli/shell/complete.ts";
import { callCommand } from "../../support/doubles/command_call.ts";
import { withFolder } from "../../support/run/folder.ts";
import { skipUnless } from "../../support/run/require.ts";

const HERE = new URL("./", import.meta.url).pathname;
const MAIN = new URL("../../../main.ts", import.meta.url).pathname;
const SHELLS = { bash: ["bash"], zsh: ["zsh", "-f"], fish: ["fish", "--no-config"] } as const;
type Shell = keyof typeof SHELLS;

const completion = (...args: string[]) => callCommand("completion", args);

/** Completions of a line, without their help; ":files" for file names. */
function offered(line: string): string[] | ":files" {
  const found = completions(COMMANDS, line.split(" ").slice(1));
  return typeof found === "string" ? found : found.map(([word]) => word).sort();
}

/** Completions offered by a shell for each line, with nodens run from source. */
async function offeredBy(shell: Shell, lines: readonly string[]): Promise<Map<string, string[]>> {
  return await withFolder(async (folder) => {
    for (const name of ["Corefile", "core.conf", "other"]) {
      Deno.writeTextFileSync(`${folder}/${name}`, "");
    }
    Deno.mkdirSync(`${folder}/.bin`);
    const program = `#!/bin/sh\nexec "${Deno.execPath()}" run -A --no-check "${MAIN}" "$@"\n`;
    Deno.writeTextFileSync(`${folder}/.bin/nodens`, program, { mode: 0o755 });
    Deno.writeTextFileSync(`${folder}/.script`, (await completion(shell)).out);
    const [binary, ...flags] = SHELLS[shell];
    const args = [...flags, `${HERE}complete.${shell}`, `${folder}/.script`, ...lines];
    const { code, stdout, stderr } = await runCommand(binary, args, {
      cwd: folder,
      env: {
        HOME: folder,
        TERM: "dumb",
        PATH: `${folder}/.bin:${Deno.env.get("PATH")}`,
        ...!Deno.env.has("DENO_DIR") && { DENO_DIR: `${Deno.env.get("HOME")}/.cache/deno` },
      },
      signal: AbortSignal.timeout(120_000),
    });
    assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
    return new Map(
      stdout.split(/^== /m).slice(1).map((part) => {
        const [line, ...words] = part.split("\n");
        return [line!, words.filter((word) => word !== "").sort()];
      }),
    );
  });
}

const NAMES = COMMANDS.map(({ name }) => name).filter((name) => name !== "").sort();
const CASES: [line: string, words: string[] | ":files"][] = [
  ["nodens ", NAMES],
  ["nodens che", ["check"]],
  ["nodens -log", ["-log-format", "-log-time"]],
  ["nodens --log", ["--log-format", "--log-time"]],
  ["nodens -p", ["-p", "-page", "-pidfile", "-plugins", "-prometheus-listen-address"]],
  ["nodens -log-format ", ["json", "text"]],
  ["nodens --log-format j", ["json"]],
  ["nodens -quiet -io ", ["auto", "linux", "portable"]],
  ["nodens -conf C", ":files"],
  ["nodens -p ", []],
  ["nodens check C", ":files"],
  ["nodens check -p 1053 --j", ["--json"]],
  ["nodens redirect ", ["install", "remove", "status"]],
  ["nodens redirect -to 192.0.2.1 in", ["install"]],
  ["nodens redirect install -exc", ["-except", "-except-uid"]],
  ["nodens manifest -mode ", ["iptables", "ipvs", "redirect"]],
  ["nodens query example.org M", ["MX"]],
  ["nodens query -p 1053 example.org AA", ["AAAA"]],
  ["nodens query example.org +s", ["+short"]],
  ["nodens completion ", ["bash", "fish", "zsh"]],
  ["nodens help sta", ["status"]],
  ["nodens -log-format=j", ["-log-format=json"]],
  ["nodens --io=l", ["--io=linux"]],
  ["nodens -quiet=", ["-quiet=false", "-quiet=true"]],
  ["nodens -conf=C", ":files"],
];
/** Completions in shells: one case of each kind, since each starts nodens. */
const IN_SHELLS: [line: string, words: string[]][] = [
  ["nodens ", NAMES],
  ["nodens --log-format j", ["json"]],
  ["nodens -p ", []],
  ["nodens check C", ["Corefile"]],
  ["nodens redirect install -exc", ["-except", "-except-uid"]],
  ["nodens query example.org +s", ["+short"]],
  ["nodens query example.org +buf", ["+bufsize="]],
];
/** Values after an equals sign; shells differ in what counts as the word. */
const EQUALS: [line: string, end: string][] = [
  ["nodens --io=l", "linux"],
  ["nodens -conf=C", "Corefile"],
];

Deno.test("completion: commands, flags, values and operands are offered", () => {
  for (const [line, words] of CASES) assert.deepEqual(offered(line), words, line);
});

Deno.test("completion: every flag of every command is offered", () => {
  for (const command of COMMANDS) {
    const line = command.name === "" ? "nodens " : `nodens ${command.name} `;
    for (const name of Object.keys(shownFlags(command))) {
      assert.ok(offered(`${line}-`).includes(`-${name}`), `${line}-${name}`);
      if (command.ownSyntax === true || name.length === 1) continue;
      assert.ok(offered(`${line}--`).includes(`--${name}`), `${line}--${name}`);
    }
  }
});

for (const shell of Object.keys(SHELLS) as Shell[]) {
  Deno.test({
    name: `completion: ${shell} offers these words`,
    ...skipUnless(shell),
    async fn() {
      const lines = [...IN_SHELLS, ...EQUALS].map(([line]) => line);
      const found = await offeredBy(shell, lines);
      assert.deepEqual([...found.keys()], lines);
      for (const [line, words] of IN_SHELLS) assert.deepEqual(found.get(line), words, line);
      for (const [line, end] of EQUALS) {
        const ends = found.get(line)!.map((word) => word.slice(word.lastIndexOf("=") + 1));
        assert.deepEqual(ends, [end], line);
      }
    },
  });
}

Deno.test("completion: a wrong command line exits with 2", async () => {
  const rows: [string[], string][] = [
    [[], "SHELL is missing (bash, zsh, fish)"],
    [["bsh"], 'unknown shell "bsh" (did you mean "bash"?)'],
    [["tcsh"], 'unknown shell "tcsh" (bash, zsh, fish)'],
    [["bash", "zsh"], 'unexpected argument "zsh"'],
  ];
  for (const [args, message] of rows) {
    const err = `nodens completion: ${message}\nUsage: nodens completion bash|zsh|fish\n`;
    assert.deepEqual(await completion(...args), { code: 2, out: "", err });
  }
});
