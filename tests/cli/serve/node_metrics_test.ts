import assert from "node:assert/strict";
import { NodeMetrics } from "../../../src/cli/serve/node_metrics.ts";
import { MetricRegistry } from "../../../src/metrics/registry.ts";
import { SeriesBook } from "../../../src/metrics/series.ts";

function make() {
  const registry = new MetricRegistry();
  const series = (name: string) => {
    const book = new SeriesBook();
    registry.collect(book);
    return book.of(name).map(({ labels, value }) => [...Object.values(labels), value]);
  };
  return { metrics: new NodeMetrics(registry), series };
}

const entry = (address: string, list = "nodens") => ({
  list,
  entry: address,
  target: { address, port: 53, mark: 0 },
});

Deno.test("node metrics: fail-open is active from an entry's age of two seconds", () => {
  const { metrics, series } = make();
  const rows: [ageMs: number, active: number][] = [[0, 0], [1999, 0], [2001, 1], [Infinity, 1]];
  let ageMs = 0;
  metrics.watchFailOpen(() => ({
    entryAges: [{ entry: entry("10.96.0.10"), ageMs }, { entry: entry("fd00::a"), ageMs: 500 }],
  }));
  for (const row of rows) {
    ageMs = row[0];
    assert.deepEqual(series("nodens_failopen_active"), [["10.96.0.10", row[1]], ["fd00::a", 0]]);
  }
});

Deno.test("node metrics: an address in two lists bypasses nodens by either", () => {
  const { metrics, series } = make();
  metrics.watchFailOpen(() => ({
    entryAges: [
      { entry: entry("10.96.0.10"), ageMs: 5000 },
      { entry: entry("10.96.0.10", "nodens_redirect"), ageMs: 0 },
    ],
  }));
  assert.deepEqual(series("nodens_failopen_active"), [["10.96.0.10", 1]]);
});

Deno.test("node metrics: without entries there is no fail-open to be active", () => {
  const { metrics, series } = make();
  metrics.watchFailOpen(() => ({ entryAges: [] }));
  assert.deepEqual(series("nodens_failopen_active"), []);
});

Deno.test("node metrics: rules are in place if the last check had no problem", () => {
  const { metrics, series } = make();
  metrics.onRules({ family: 4, problem: null });
  metrics.onRules({ family: 6, problem: "no such table" });
  assert.deepEqual(series("nodens_node_rules"), [["4", 1], ["6", 0]]);
  metrics.onRules({ family: 6, problem: null });
  assert.deepEqual(series("nodens_node_rules"), [["4", 1], ["6", 1]]);
});

Deno.test("node metrics: levels and errors have node-cache's values and labels", () => {
  const { metrics, series } = make();
  metrics.onLevel(4, "socket");
  metrics.onLevel(6, "none");
  assert.deepEqual(series("nodens_failopen_level"), [["4", 2], ["6", 0]]);
  metrics.count("configmap");
  const errors = series("coredns_nodecache_setup_errors_total");
  assert.deepEqual(errors.filter(([, value]) => value === 1), [["configmap", 1]]);
  assert.equal(errors.length, 5);
});
