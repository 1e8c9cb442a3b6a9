import assert from "node:assert/strict";
import { METRICS } from "../../src/metrics/catalog.ts";
import { ROOT, sourcesIn } from "./sources.ts";

const NAME = /\b(?:coredns|nodens|process)_[a-z_]+\b/g;
const OTHERS = new Set(["process_metrics", "nodens_hits"]);

/** Metric of a name in a query. */
function family(name: string): string {
  const base = name.replace(/_(bucket|sum|count)$/, "");
  return METRICS.get(base)?.type === "histogram" ? base : name;
}

Deno.test("docs/metrics.md lists every metric with its type, labels and meaning", () => {
  const text = Deno.readTextFileSync(`${ROOT}docs/metrics.md`);
  const rows = [...text.matchAll(/^\| `(\w+)` +\| (.*?) *\| (.*?) *\|$/gm)]
    .filter(([, name]) => name!.includes("_"));
  const listed = new Map(rows.map(([, name, ...cells]) => [name!, cells]));
  assert.equal(rows.length, listed.size, "a metric is listed twice");
  assert.deepEqual([...listed.keys()].sort(), [...METRICS.keys()].sort());
  for (const { name, type, labels } of METRICS.values()) {
    const [labelText, meaning] = listed.get(name)!;
    const other = name.endsWith("_total") ? "counter" : "gauge";
    assert.equal(meaning!.startsWith("Histogram: ") ? "histogram" : other, type, name);
    // The page states once that these have it.
    const shown = name.startsWith("coredns_") && labels.includes("server")
      ? labels.filter((label) => label !== "view")
      : labels;
    assert.equal(shown.length < labels.length, labels.includes("view"), name);
    assert.equal(labelText, shown.map((label) => `\`${label}\``).join(", "), name);
    assert.match(meaning!, /^\S.{5,}[.)]$/, name);
  }
});

Deno.test("the catalog contains every metric that the code or a README names", () => {
  for (const { path, text } of sourcesIn("src", /\.(ts|md)$/)) {
    for (const [name] of text.matchAll(NAME)) {
      // A README, a comment or a template may name the common beginning of several.
      if (name.endsWith("_") || OTHERS.has(name)) continue;
      assert.ok(METRICS.has(family(name)), `${path}: ${name}`);
    }
  }
});

Deno.test("alert rules and dashboard use many metrics, all in the catalog", () => {
  const rules = Deno.readTextFileSync(`${ROOT}deploy/prometheus/nodens.rules.yml`);
  const dashboard = JSON.parse(Deno.readTextFileSync(`${ROOT}deploy/grafana/nodens.json`));
  const queries = dashboard.panels.flatMap((panel: { targets?: { expr: string }[] }) =>
    (panel.targets ?? []).map(({ expr }) => expr)
  );
  assert.ok(queries.length > 30);
  const used = new Set<string>();
  for (const text of [rules, ...queries]) {
    for (const [name] of text.matchAll(NAME)) used.add(family(name));
  }
  for (const name of used) assert.ok(METRICS.has(name), name);
  assert.ok(used.size > 30);
});

Deno.test("the dashboard's panels have distinct ids and do not overlap", () => {
  const { panels, uid } = JSON.parse(Deno.readTextFileSync(`${ROOT}deploy/grafana/nodens.json`));
  assert.equal(uid, "nodens");
  const ids = panels.map(({ id }: { id: number }) => id);
  assert.equal(new Set(ids).size, ids.length);
  const taken = new Set<string>();
  for (const { title, gridPos: { x, y, w, h } } of panels) {
    assert.ok(x + w <= 24, title);
    for (let column = x; column < x + w; column++) {
      for (let line = y; line < y + h; line++) {
        const cell = `${column} ${line}`;
        assert.ok(!taken.has(cell), `${title} overlaps`);
        taken.add(cell);
      }
    }
  }
});

Deno.test("the dashboard filters by cluster, job and node, without a line for each node", () => {
  const { panels, templating } = JSON.parse(
    Deno.readTextFileSync(`${ROOT}deploy/grafana/nodens.json`),
  );
  const variables = templating.list.map(({ name }: { name: string }) => name);
  assert.deepEqual(variables, ["datasource", "cluster", "job", "node", "instance"]);
  for (const { title, targets = [] } of panels) {
    for (const { expr } of targets as { expr: string }[]) {
      const selectors = [...expr.matchAll(/\{([^}]*)\}/g)].map(([, inner]) => inner!);
      assert.ok(selectors.length > 0, title);
      for (const selector of selectors) {
        for (const name of variables.slice(1)) {
          assert.ok(selector.includes(`${name}=~"$${name}"`), `${title}: ${name} is missing`);
        }
      }
      // Labels with as many values as there are nodes, upstreams or zones.
      if (
        !/by \([^)]*\b(?:instance|to|from|zones?)\b/.test(expr) &&
        /\bby \(|sum\(|count\(/.test(expr)
      ) {
        continue;
      }
      assert.match(expr, /^(?:top|bottom)k\(10, /, `${title}: ${expr}`);
    }
  }
});
