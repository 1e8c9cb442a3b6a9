import assert from "node:assert/strict";
import { MetricsSource } from "../../src/control/metrics_source.ts";
import { MetricRegistry } from "../../src/metrics/registry.ts";

const request = (headers: Record<string, string> = {}) => ({
  method: "GET" as const,
  path: "/metrics",
  headers: new Map(Object.entries(headers)),
  close: false,
});

Deno.test("a flood of scrapes gets copies of the last answer", async () => {
  const registry = new MetricRegistry();
  const source = new MetricsSource([], registry, { version: "1", deno: "2" });
  let collected = 0;
  registry.onScrape(() => collected++);
  const bodies = new Set<unknown>();
  for (let i = 0; i < 200; i++) bodies.add((await source.serve(request())).body);
  // Ten in a row, and one a second: the loop may have taken some.
  assert.ok(collected >= 10 && collected < 100, `made ${collected} times`);
  assert.equal(bodies.size, collected, "copies share their octets");
  // Every form has a copy of its own.
  const zipped = await source.serve(request({ "accept-encoding": "gzip" }));
  assert.equal(zipped.headers!["content-encoding"], "gzip");
});
