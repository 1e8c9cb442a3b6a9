import assert from "node:assert/strict";
import { MetricsSource } from "../../../src/control/endpoints/metrics_source.ts";
import { MetricRegistry } from "../../../src/metrics/registry.ts";

const request = (headers: Record<string, string> = {}) => ({
  method: "GET" as const,
  path: "/metrics",
  headers: new Map(Object.entries(headers)),
  close: false,
});

Deno.test("a flood of scrapes gets copies of one answer in each form", async () => {
  const registry = new MetricRegistry();
  const source = new MetricsSource([], registry, { version: "1", deno: "2" }, Infinity);
  let collected = 0;
  registry.onScrape(() => collected++);
  const bodies = new Set<unknown>();
  for (let i = 0; i < 200; i++) bodies.add((await source.serve(request())).body);
  assert.equal(collected, 1);
  assert.equal(bodies.size, 1, "copies share their octets");
  // Packed octets are of the same figures, and shared as well.
  const packed = await source.serve(request({ "accept-encoding": "gzip" }));
  assert.equal(packed.headers!["content-encoding"], "gzip");
  assert.equal(await source.serve(request({ "accept-encoding": "gzip" })), packed);
  assert.equal(collected, 1);
  await source.serve(request({ accept: "application/openmetrics-text" }));
  assert.equal(collected, 2);
});

Deno.test("a copy that is too old is made again, packed or not", async () => {
  const registry = new MetricRegistry();
  const source = new MetricsSource([], registry, { version: "1", deno: "2" }, 0);
  let collected = 0;
  registry.onScrape(() => collected++);
  for (const headers of [{}, { "accept-encoding": "gzip" }, {}]) {
    await source.serve(request(headers));
  }
  assert.equal(collected, 3);
});
