import assert from "node:assert/strict";
import { parse } from "yaml";
import { loadWorkflowLinter } from "./workflow_linter.ts";
import { runCommand } from "../../release/command.ts";
import { ROOT } from "./sources.ts";

const FOLDER = `${ROOT}.github/workflows`;

interface Step {
  name?: string;
  uses?: string;
  run?: string;
  with?: Record<string, unknown>;
}

interface Job {
  permissions?: Record<string, string>;
  uses?: string;
  needs?: string;
  steps?: Step[];
}

interface Workflow {
  permissions: Record<string, string>;
  jobs: Record<string, Job>;
}

const read = (name: string): Workflow => parse(Deno.readTextFileSync(`${FOLDER}/${name}`));
const WORKFLOWS = [...Deno.readDirSync(FOLDER)].map(({ name }) => ({ name, ...read(name) }));

for (const { name, permissions, jobs } of WORKFLOWS) {
  Deno.test(`${name}: permissions are few, and actions are pinned to commits`, () => {
    assert.deepEqual(permissions, { contents: "read" });
    for (const [job, { uses, needs, steps = [] }] of Object.entries(jobs)) {
      if (needs !== undefined) assert.ok(needs in jobs, `${job} needs ${needs}`);
      if (uses !== undefined) {
        assert.match(uses, /^\.\/\.github\/workflows\//);
        Deno.statSync(ROOT + uses);
      }
      for (const step of steps) {
        if (step.uses === undefined) continue;
        assert.match(step.uses, /^[\w-]+\/[\w-]+@[0-9a-f]{40}$/, `${job}: ${step.uses}`);
        const isCheckout = step.uses.startsWith("actions/checkout@");
        if (isCheckout) assert.equal(step.with?.["persist-credentials"], false, job);
      }
    }
  });

  Deno.test(`${name}: scripts are valid and contain no expressions`, async () => {
    for (const [job, { steps = [] }] of Object.entries(jobs)) {
      for (const { run, name = "" } of steps) {
        if (run === undefined) continue;
        assert.ok(!run.includes("${{"), `${job}, ${name}: pass it in env`);
        const { ok, text } = await runCommand("bash", ["-n", "-c", run]);
        assert.ok(ok, `${job}, ${name}: ${text}`);
      }
    }
  });
}

Deno.test("the linter accepts the workflows, and rejects faulty ones", async () => {
  const lint = await loadWorkflowLinter(FOLDER);
  const text = (name: string) => Deno.readTextFileSync(`${FOLDER}/${name}`);
  for (const { name } of Deno.readDirSync(FOLDER)) {
    assert.deepEqual(await lint(name, text(name)), [], name);
  }
  const wrong: [string, string, RegExp][] = [
    ["runs-on: ", "runs_on: ", /Unexpected value 'runs_on'/],
    ["needs: index", "needs: indx", /unknown job 'indx'/],
    ["secrets.", "secret.", /Unrecognized named-value: 'secret'/],
    ["steps.push.outputs", "steps.pull.outputs", /might be invalid: pull/],
    ["matrix.machine ==", "matrix.mashine ==", /might be invalid: mashine/],
    ["matrix.machine == 'arm64'", "matrix.machine = 'arm64'", /Unexpected symbol: '='/],
    ["workflows/ci.yml", "workflows/cj.yml", /Unable to find reusable workflow/],
  ];
  for (const [right, fault, expected] of wrong) {
    const spoilt = text("release.yml").replace(right, fault);
    assert.notEqual(spoilt, text("release.yml"), right);
    assert.match((await lint("release.yml", spoilt)).join("\n"), expected);
  }
});

Deno.test("the workflows call existing tasks and targets", () => {
  const scripts = WORKFLOWS.flatMap(({ jobs }) =>
    Object.values(jobs).flatMap(({ steps = [] }) => steps.map(({ run = "" }) => run))
  ).join("\n");
  const { tasks } = JSON.parse(Deno.readTextFileSync(`${ROOT}deno.json`));
  const named = [...scripts.matchAll(/deno@(\S+) task ([\w-]+)/g)];
  assert.ok(named.length > 0);
  const [, version] = /^deno_version=(\S+)$/m.exec(Deno.readTextFileSync(`${ROOT}.ci/run`))!;
  for (const [, deno, task] of named) {
    assert.equal(deno, version);
    assert.ok(task! in tasks, task!);
  }
  assert.match(scripts, /^\.ci\/run$/m);
  const containerfile = Deno.readTextFileSync(`${ROOT}Containerfile`);
  const { jobs } = read("release.yml") as unknown as {
    jobs: Record<string, { strategy: { matrix: { target: string[] } } }>;
  };
  for (const job of ["images", "index"]) {
    for (const target of jobs[job]!.strategy.matrix.target) {
      assert.match(containerfile, new RegExp(`^FROM \\S+ AS ${target}$`, "m"));
    }
  }
  Deno.statSync(`${ROOT}deploy/helm/nodens/Chart.yaml`);
});

Deno.test("fields of issue forms have distinct ids and labels", () => {
  const folder = `${ROOT}.github/ISSUE_TEMPLATE`;
  for (const { name } of Deno.readDirSync(folder)) {
    if (name === "config.yml") continue;
    const form = parse(Deno.readTextFileSync(`${folder}/${name}`));
    for (const key of ["name", "description"]) assert.equal(typeof form[key], "string", name);
    const fields = form.body.filter(({ type }: { type: string }) => type !== "markdown");
    const ids = fields.map(({ id }: { id: string }) => id);
    assert.equal(new Set(ids).size, ids.length);
    for (const { id, type, attributes } of fields) {
      assert.match(type, /^(?:textarea|input|dropdown|checkboxes)$/, id);
      assert.equal(typeof attributes.label, "string", id);
    }
  }
});
