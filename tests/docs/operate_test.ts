import assert from "node:assert/strict";
import { readConfig } from "../../src/loading/load.ts";
import { denoHost } from "../../src/control/host_deno.ts";
import { skipFor } from "../support/run/require.ts";
import { readPage } from "./page.ts";
import { type FenceStep, SETUP, STEPS } from "./plan_operate.ts";
import { type Outcome, runInSandbox, sandboxReasons } from "./sandbox.ts";
import {
  differenceOf,
  type Fence,
  hasShape,
  readFences,
  readTranscripts,
  type Transcript,
} from "./transcript.ts";
import { SERVE } from "./plan.ts";

const PAGE = "docs/operate.md";
const PATH = new URL(`../../${PAGE}`, import.meta.url);
const text = Deno.readTextFileSync(PATH);
const fences = readFences(text);
const { files } = readPage(text);

function firstLineOf(step: FenceStep): string {
  if ("run" in step) return `$ ${step.run}`;
  return "types" in step ? step.types : "logged" in step ? step.logged : step.skip;
}

Deno.test(`${PAGE}: every fence is in the plan`, () => {
  assert.deepEqual(
    STEPS.map(firstLineOf),
    fences.map(({ lines }) => lines[0]),
    "tests/docs/plan_operate.ts and the page differ",
  );
  for (const step of STEPS) if ("skip" in step) assert.match(step.why, /\w \w/);
});

Deno.test({
  name: `${PAGE}: the commands print what the page shows`,
  ...skipFor(sandboxReasons("dig", "curl", "ip")),
  async fn() {
    const typed = STEPS.flatMap((step, i) => typedOf(step, fences[i]!));
    const pieces = [...typed.map(({ script }) => script), "cat /tmp/served.*"];
    const corefiles = files.map(({ text }, i) => `cat >/etc/page.${i + 1} <<'END'\n${text}END`);
    const setup = ["set -m -o pipefail", SERVE, ...corefiles, SETUP].join("\n");
    const outcomes = await runInSandbox(pieces, { setup });
    const log = outcomes.pop()!.output.split("\n");
    const changes = typed.flatMap(({ transcript, code, alike }, i) =>
      faultOf(transcript, { code, alike, outcome: outcomes[i]! })
    );
    for (const [i, step] of STEPS.entries()) {
      if (!("logged" in step)) continue;
      for (const [at, line] of fences[i]!.lines.entries()) {
        if (log.some((other) => hasShape(other, line))) continue;
        changes.push(`${PAGE}:${fences[i]!.line + at}: nodens has not logged ${line}`);
      }
    }
    assert.equal(changes.length, 0, `\n${changes.join("\n\n")}\n\nLog:\n${log.join("\n")}`);
  },
});

Deno.test(`${PAGE}: every Corefile is valid`, async () => {
  for (const { line, text } of files) {
    const { warnings } = await readConfig({ file: PAGE, text, defaultPort: 53 }, denoHost);
    assert.deepEqual(warnings, [], `${PAGE}:${line}`);
  }
});

interface Typed {
  script: string;
  transcript: Transcript;
  code: number;
  alike: RegExp | null;
}

function typedOf(step: FenceStep, fence: Fence): Typed[] {
  if ("types" in step) {
    return fence.lines.map((command, i) => {
      const transcript = { line: fence.line + i, command, output: ["..."] };
      return { script: `${command} --fail --silent`, transcript, code: 0, alike: null };
    });
  }
  if (!("run" in step)) return [];
  return readTranscripts(fence).map((transcript, i, all) => {
    const before = i === 0 && step.before !== undefined ? `{ ${step.before}\n} >/dev/null\n` : "";
    const script = `${before}${i === 0 && step.by !== undefined ? step.by : ""} `;
    const code = i === all.length - 1 ? step.code ?? 0 : 0;
    const { alike = null } = step;
    return { script: script + transcript.command, transcript, code, alike };
  });
}

function faultOf(
  { line, command, output }: Transcript,
  { code, alike, outcome }: { code: number; alike: RegExp | null; outcome: Outcome },
): string[] {
  const same = (line: string) => alike === null ? line : line.replace(alike, "ALIKE");
  const printed = outcome.output.trimEnd().split("\n");
  const difference = outcome.code === code
    ? differenceOf(output.map(same), printed.map(same))
    : `exit code ${outcome.code}, not ${code}`;
  if (difference === null) return [];
  return [`${PAGE}:${line}: $ ${command}\n${difference}\nAll that was printed:\n${outcome.output}`];
}
