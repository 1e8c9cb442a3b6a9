import assert from "node:assert/strict";
import { BEHAVIOURS } from "../../bench/cluster/behaviours.ts";
import { EVENTS } from "../../bench/cluster/events.ts";
import { FLAGS, readOptions } from "../../bench/cluster/options.ts";
import {
  PARAMETERS,
  replicasFor,
  TIMELINE,
  type Timeline,
} from "../../bench/cluster/parameters.ts";
import { drawPlot } from "../../bench/cluster/plot.ts";
import { plotsOf, type PlottedRun } from "../../bench/cluster/plots.ts";
import { runCluster } from "../../bench/cluster/run.ts";
import { summarize } from "../../bench/cluster/summary.ts";
import { formatTables } from "../../bench/cluster/tables.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const DOC = Deno.readTextFileSync(`${ROOT}docs/scale.md`);
const SHORT: Timeline = {
  ...TIMELINE,
  steadyFrom: 31,
  eventFrom: 65,
  outage: 2,
  restart: 2,
  after: 3,
  nodesWithin: 1,
  podsWithin: 1,
};

/** Runs for two small clusters and a short time. */
function allRuns(): PlottedRun[] {
  return [1, 2].flatMap((nodes) =>
    EVENTS.flatMap((event) =>
      BEHAVIOURS.filter(({ events }) => events.includes(event)).map((behaviour) => {
        const cluster = { nodes, sample: nodes, replicas: 1, seed: 1, timeline: SHORT };
        const result = runCluster(behaviour, { event, cluster });
        return { nodes, event, behaviour: behaviour.name, result, summary: summarize(result) };
      })
    )
  );
}

/** Heads of the tables in a text; numbers of nodes are ignored. */
function headsOf(text: string): Set<string> {
  return new Set(
    [...text.matchAll(/^\|(.*)\|\n\| ?-/gm)].map(([, cells]) =>
      cells!.split("|").map((cell) => cell.trim()).join("|").replace(/nodes\|[\d,|]+/, "nodes|N")
    ),
  );
}

Deno.test("docs/scale.md has valid commands, and documents every option", () => {
  const commands = [...DOC.matchAll(/^deno run -A bench\/cluster\/main\.ts(.*)$/gm)]
    .map(([, args]) => args!.split(" ").filter((word) => word !== ""));
  assert.ok(commands.length >= 2);
  for (const args of commands) readOptions(args);
  assert.equal(readOptions(commands[0]!).svg, "docs/scale");
  const usage = Deno.readTextFileSync(`${ROOT}bench/cluster/main.ts`).split("*/")[0]!;
  for (const flag of Object.keys(FLAGS)) {
    assert.match(DOC, new RegExp(`^- \`--${flag} `, "m"), flag);
    assert.ok(usage.includes(`--${flag} `), flag);
  }
});

Deno.test("docs/scale.md has the program's tables and plots", () => {
  const runs = allRuns();
  const made = headsOf(formatTables(runs));
  assert.ok(made.size >= 7);
  const told = headsOf(DOC);
  for (const head of made) assert.ok(told.has(head), head);
  for (const { name } of BEHAVIOURS) assert.match(DOC, new RegExp(`^\\| ${name} +\\|`, "m"));

  const plots = plotsOf(runs);
  const shown = [...DOC.matchAll(/\]\(scale\/(\w+\.svg)\)/g)].map(([, file]) => file!);
  assert.deepEqual(shown.toSorted(), [...plots.keys()].toSorted());
  for (const [file, plot] of plots) {
    const svg = drawPlot(plot);
    assert.ok(!/NaN|undefined|Infinity/.test(svg), file);
    const kept = Deno.readTextFileSync(`${ROOT}docs/scale/${file}`);
    assert.ok(kept.startsWith("<svg ") && kept.includes("prefers-color-scheme:dark"), file);
    const names = (text: string) => plot.series.every(({ name }) => text.includes(`>${name}<`));
    assert.ok(names(svg) && names(kept), file);
  }
});

Deno.test("docs/scale.md lists every assumption with its value", () => {
  const told = [...DOC.matchAll(/^\| `([\w.]+)` +\| (.*?) +\| \S.* +\|$/gm)].map((
    [, name, value],
  ) => [name!, value!] as const);
  assert.deepEqual(told, [...flatten(PARAMETERS), ...flatten(TIMELINE)]);
});

Deno.test("an option out of range is refused with the valid range", () => {
  const cases: [string[], RegExp][] = [
    [["--nodes", "10,ten"], /--nodes: "ten" is not a whole number from 1 to 10000/],
    [["--nodes", "10001"], /--nodes: "10001" is not a whole number from 1 to 10000/],
    [["--nodes", ""], /--nodes: "" is not a whole number/],
    [["--seed", "x"], /--seed: "x" is not/],
    [["--sample", "0"], /--sample: "0" is not a whole number from 1 to 500/],
    [["--replicas", "1.5"], /--replicas: "1.5"/],
    [["--node", "10"], /--node/],
  ];
  for (const [args, message] of cases) assert.throws(() => readOptions(args), message, `${args}`);
  assert.deepEqual(readOptions([]).nodes, [10, 100, 1000, 10_000]);
  assert.equal(readOptions([]).replicas(1000), 63);
  assert.equal(readOptions(["--replicas", "5"]).replicas(1000), 5);
  assert.deepEqual([1, 32, 33].map(replicasFor), [2, 2, 3]);
});

function flatten(object: object, prefix = ""): [string, string][] {
  return Object.entries(object).flatMap(([key, value]): [string, string][] =>
    value !== null && typeof value === "object" && !Array.isArray(value)
      ? flatten(value, `${prefix}${key}.`)
      : [[`${prefix}${key}`, Array.isArray(value) ? value.flat().join(", ") : String(value)]]
  );
}
