import assert from "node:assert/strict";
import type { HostView } from "../../src/config/host.ts";
import { readConfig } from "../../src/loading/load.ts";
import { denoHost } from "../../src/control/host_deno.ts";
import { skipFor } from "../support/run/require.ts";
import { readPage } from "./page.ts";
import { type PlannedPage, SERVE, type Step } from "./plan.ts";
import { INSTALL } from "./plan_install.ts";
import { KUBERNETES, MIGRATE } from "./plan_kubernetes.ts";
import { OPERATIONS } from "./plan_operations.ts";
import { README, TRY } from "./plan_try.ts";
import { runInSandbox, sandboxReasons } from "./sandbox.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

const PAGES: readonly PlannedPage[] = [README, TRY, INSTALL, KUBERNETES, MIGRATE, OPERATIONS];
const textOf = (step: Step) => "run" in step ? step.run : step.skip;

for (const planned of PAGES) {
  const { path, steps } = planned;
  const { commands, files } = readPage(Deno.readTextFileSync(ROOT + path));

  Deno.test(`${path}: every command is in the plan`, () => {
    const found = commands.map(({ text }) => text);
    assert.deepEqual(steps.map(textOf), found, "the plan in tests/docs and the page differ");
    for (const step of steps) if ("skip" in step) assert.match(step.why, /\w \w/);
  });

  Deno.test({
    name: `${path}: the commands have the documented results`,
    ...skipFor(sandboxReasons(...planned.needs)),
    async fn() {
      const run = steps.flatMap((step, i) =>
        "run" in step ? [{ step, command: commands[i]! }] : []
      );
      const outcomes = await runInSandbox(run.map(({ step }) => pieceOf(step, planned)), {
        setup: ["set -m -o pipefail", SERVE, planned.setup, ...files.map(saved)].join("\n"),
      });
      for (const [i, { step, command }] of run.entries()) {
        const { code, output } = outcomes[i]!;
        const where = `${path}:${command.line}: ${command.text}\n${output}`;
        assert.equal(code, step.code ?? 0, where);
        if (step.prints !== undefined) assert.match(output, step.prints, where);
      }
    },
  });

  if (files.length > 0) {
    Deno.test(`${path}: every Corefile is valid`, async () => {
      for (const { line, text } of files) {
        const { warnings } = await readConfig({ file: path, text, defaultPort: 53 }, host);
        assert.deepEqual(warnings, [], `${path}:${line}`);
      }
    });
  }
}

Deno.test("docs/install.md: the Corefile of the Nomad job is valid", async () => {
  const page = Deno.readTextFileSync(`${ROOT}docs/install.md`);
  const text = /<<EOT\n([\s\S]*?)\nEOT\n/.exec(page)![1]!;
  const { config } = await readConfig({ file: "job", text, defaultPort: 53 }, host);
  assert.deepEqual(config.listeners.map(({ address }) => address), ["127.0.0.1", "172.26.64.1"]);
});

Deno.test("readPage: reads commands and files from fences, without remarks", () => {
  const page = [
    "## One",
    "Save this as `a.conf`:",
    "",
    "```corefile",
    ". {",
    "}",
    "```",
    "```sh",
    "first a   # why",
    "second \\",
    "  -b",
    "```",
    "```",
    "output",
    "```",
    "## Two",
    "```sh",
    "third '#x'",
    "```",
  ].join("\n");
  assert.deepEqual(readPage(page), {
    commands: [
      { line: 9, section: "One", text: "first a" },
      { line: 11, section: "One", text: "second -b" },
      { line: 18, section: "Two", text: "third '#x'" },
    ],
    files: [{ line: 5, section: "One", name: "a.conf", text: ". {\n}\n" }],
  });
});

/** This machine, with a server in each file of /etc that a Corefile names. */
const host: HostView = {
  ...denoHost,
  kindOf: (path) => path.startsWith("/etc/") ? "file" : denoHost.kindOf(path),
  readTextFile: (path) =>
    path.startsWith("/etc/") ? "nameserver 192.0.2.53\n" : denoHost.readTextFile(path),
};

function pieceOf(step: Extract<Step, { run: string }>, { replace }: PlannedPage): string {
  let text = step.run;
  for (const [from, to] of Object.entries(replace)) text = text.replaceAll(from, to);
  const before = step.before === undefined ? "" : `set -e\n${step.before}\nset +e\n`;
  if (step.serves !== undefined) text = `serve '${step.serves.source}' ${text}`;
  return `${before}${text}`;
}

function saved({ name, text }: { name: string; text: string }): string {
  if (name === "") return "";
  return `mkdir -p "$(dirname '${name}')"\ncat >'${name}' <<'END_OF_FILE'\n${text}END_OF_FILE`;
}
