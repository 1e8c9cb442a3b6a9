/**
 * Simulates clusters with and without node caches, and prints the load of the cluster DNS in steady
 * state, after an outage, and during restarts. See docs/scale.md.
 *
 *   deno run -A bench/cluster/main.ts [--nodes 10,100,1000,10000] [--seed 1] [--sample 32]
 *                                     [--replicas NUMBER] [--svg FOLDER]
 */
import { note, print } from "../output.ts";
import { BEHAVIOURS } from "./behaviours.ts";
import { EVENTS } from "./events.ts";
import { readOptions } from "./options.ts";
import { drawPlot } from "./plot.ts";
import { plotsOf, type PlottedRun } from "./plots.ts";
import { runCluster } from "./run.ts";
import { summarize } from "./summary.ts";
import { formatTables } from "./tables.ts";

const { nodes: sizes, seed, sample: most, replicas, svg } = readOptions(Deno.args);
const runs: PlottedRun[] = [];
for (const nodes of sizes) {
  const cluster = { nodes, sample: Math.min(nodes, most), replicas: replicas(nodes), seed };
  for (const event of EVENTS) {
    for (const behaviour of BEHAVIOURS) {
      if (!behaviour.events.includes(event)) continue;
      note(`${nodes} nodes: ${event}: ${behaviour.name}`);
      const result = runCluster(behaviour, { event, cluster });
      runs.push({ nodes, event, behaviour: behaviour.name, result, summary: summarize(result) });
    }
  }
}

const clusters = sizes.map((nodes) => `${nodes} (${replicas(nodes)})`).join(", ");
print(
  `Seed ${seed}; at most ${most} nodes simulated; ` +
    `nodes (replicas of the cluster DNS): ${clusters}.\n`,
);
for (const { name, text } of BEHAVIOURS) print(`- ${name}: ${text}`);
print("");
print(formatTables(runs));
if (svg !== null) {
  Deno.mkdirSync(svg, { recursive: true });
  for (const [file, plot] of plotsOf(runs)) {
    Deno.writeTextFileSync(`${svg}/${file}`, drawPlot(plot));
  }
}
