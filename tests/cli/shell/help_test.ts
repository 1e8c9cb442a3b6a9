import assert from "node:assert/strict";
import { runCommand } from "../../../release/command.ts";
import { command, commandHelp, helpText, shownFlags } from "../../../src/cli/command.ts";
import { COMMANDS } from "../../../src/cli/commands.ts";
import { FlagError, text as textFlag } from "../../../src/cli/flags.ts";
import { parseQueryArgs, QUERY_OPTIONS } from "../../../src/cli/query/args.ts";
import { mainHelp } from "../../../src/cli/shell/help.ts";
import { manualPage } from "../../../src/cli/shell/man.ts";
import { callCommand } from "../../support/doubles/command_call.ts";
import { VERSION } from "../../../src/cli/version.ts";
import { withFolder } from "../../support/run/folder.ts";
import { skipUnless } from "../../support/run/require.ts";

const ROOT = new URL("../../../", import.meta.url).pathname;

async function nodens(...args: string[]) {
  const { code, stdout: out, stderr: err } = await runCommand(
    Deno.execPath(),
    ["run", "-A", `${ROOT}main.ts`, ...args],
  );
  return { code, out, err };
}

const HELP = COMMANDS.find(({ name }) => name === "help")!;
const help = (...args: string[]) => callCommand(HELP, args);

Deno.test("help: every command and every flag is described", async () => {
  assert.deepEqual(await help(), { code: 0, out: mainHelp(COMMANDS), err: "" });
  for (const command of COMMANDS.filter(({ name }) => name !== "")) {
    assert.match(mainHelp(COMMANDS), new RegExp(`^  ${command.name} +\\S.* \\S`, "m"));
    const { code, out } = await help(command.name);
    assert.equal(code, 0);
    assert.match(out, new RegExp(`^Usage: nodens ${command.name}\\b`));
    for (const name of Object.keys(shownFlags(command))) {
      assert.ok(out.includes(`  -${name}`), name);
    }
  }
  assert.match((await help("-h")).out, /^Usage: nodens help \[COMMAND\]\n/);
});

Deno.test("help: an unknown command exits with 2 and a suggestion", async () => {
  assert.deepEqual(await help("chekc"), {
    code: 2,
    out: "",
    err: 'nodens help: unknown command "chekc" (did you mean "check"?)\n' +
      "Usage: nodens help [COMMAND]\n",
  });
  assert.match((await help("xyzzyx")).err, /unknown command "xyzzyx" \(check, query, /);
  assert.match((await help("check", "query")).err, /unexpected argument "query"/);
});

Deno.test("nodens COMMAND -h prints the help of every command", async () => {
  for (const command of COMMANDS) {
    const args = command.name === "" ? [] : [command.name];
    const expected = command.name === "" ? mainHelp(COMMANDS) : commandHelp(command);
    assert.deepEqual(await nodens(...args, "-h"), { code: 0, out: expected, err: "" });
  }
  const unknown = await nodens("stats");
  assert.equal(unknown.code, 2);
  assert.match(unknown.err, /^nodens: unknown command "stats" \(did you mean "status"\?\)\n/);
});

Deno.test("docs/reference.md lists every command", () => {
  const names = COMMANDS.map(({ name }) => name).filter((name) => name !== "").sort();
  const reference = Deno.readTextFileSync(`${ROOT}docs/reference.md`);
  const told = [...reference.matchAll(/^nodens ([a-z]+)\b.* {2,}\w/gm)].map(([, name]) => name!);
  assert.deepEqual([...new Set(told)].sort(), names);
});

Deno.test("query accepts the options in its help", () => {
  const text = helpText(QUERY_OPTIONS, "+");
  for (const [name, { default: value }] of Object.entries(QUERY_OPTIONS)) {
    assert.ok(text.includes(`  +${name}`));
    parseQueryArgs(["example.org", value === false ? `+${name}` : `+${name}=${value}`]);
  }
  assert.throws(() => parseQueryArgs(["example.org", "+sh"]), FlagError);
});

async function rendered(page: string): Promise<string> {
  return await withFolder(async (folder) => {
    const path = `${folder}/nodens.1`;
    Deno.writeTextFileSync(path, page);
    const lint = await runCommand("mandoc", ["-T", "lint", "-W", "warning", path]);
    assert.deepEqual([lint.text, lint.code], ["", 0]);
    // Overstriking marks bold or underlined text.
    // deno-lint-ignore no-control-regex
    return (await runCommand("mandoc", ["-T", "utf8", path])).stdout.replace(/.\x08/g, "");
  });
}

Deno.test({
  name: "the manual page has every command, flag and exit code, and renders without a warning",
  ...skipUnless("mandoc"),
  async fn() {
    const text = await rendered(manualPage(COMMANDS, VERSION));
    const page = text.replace(/\s+/g, " ");
    for (const one of COMMANDS) {
      const { name, plusOptions = {}, exitCodes } = one;
      const from = name === ""
        ? text.indexOf("DESCRIPTION")
        : text.indexOf(`\n   nodens ${name}\n`);
      assert.ok(from > 0, name);
      const section = text.slice(from);
      for (const [name, { alias }] of Object.entries(shownFlags(one))) {
        assert.match(section, new RegExp(`^ +-${name.replaceAll(".", "\\.")}\\b`, "m"));
        if (alias !== undefined) assert.match(section, new RegExp(`, -${alias}\\b`));
      }
      for (const name of Object.keys(plusOptions)) assert.ok(section.includes(`+${name}`), name);
      for (const [code] of exitCodes) assert.match(section, new RegExp(`^ +${code} +\\S`, "m"));
    }
    for (const title of ["SIGNALS", "ENVIRONMENT", "FILES", "EXIT STATUS", "EXAMPLES"]) {
      assert.match(text, new RegExp(`^${title}$`, "m"));
    }
    assert.ok(page.includes("text or json (an object a line). The default is text."));
    assert.match(text, new RegExp(`nodens ${VERSION.replaceAll(".", "\\.")} +\\w+ \\d+, \\d{4}`));
  },
});

Deno.test({
  name: "man: text that looks like requests or escapes is printed literally",
  ...skipUnless("mandoc"),
  async fn() {
    const text = await rendered(manualPage([command({
      name: "",
      summary: ".Sh of \\fBa line",
      forms: [{ args: "'x -n" }],
      flags: { Fl: textFlag("Ar", ".de \\n(x 'q'", '"a b"') },
      operands: [],
      exitCodes: [[0, "'br \\e"]],
      load: () => assert.fail("it does not run"),
    })], "0.0.0"));
    assert.match(text, /^ +-Fl Ar +\.de \\n\(x 'q'\. +The default is "a b"\.$/m);
    assert.match(text, /^ +0 +'br \\e\.$/m);
  },
});

Deno.test("man: an argument is refused", async () => {
  const { code, out, err } = await callCommand("man", ["nodens"]);
  assert.deepEqual([code, out], [2, ""]);
  assert.match(err, /^nodens man: unexpected argument "nodens" .*\nUsage: nodens man/);
});
