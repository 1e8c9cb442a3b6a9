import assert from "node:assert/strict";
import { makeMetricsSource } from "../../../src/control/endpoints/metrics_source.ts";
import { MetricRegistry } from "../../../src/metrics/registry.ts";
import { VirtualClock } from "../../support/run/virtual_clock.ts";

function make() {
  const registry = new MetricRegistry();
  const clock = new VirtualClock();
  const build = { version: "1", deno: "2" };
  const source = makeMetricsSource({ planes: [], registry, build, clock });
  const counts = { collected: 0 };
  registry.onScrape(() => counts.collected++);
  const scrape = (headers: Record<string, string> = {}) =>
    source.serve({
      method: "GET",
      path: "/metrics",
      query: new URLSearchParams(),
      headers: new Map(Object.entries(headers)),
      close: false,
    });
  return { clock, counts, scrape };
}

const GZIP = { "accept-encoding": "gzip" };

Deno.test("scrapes share one answer in each format", async () => {
  const { counts, scrape } = make();
  const bodies = new Set<unknown>();
  for (let i = 0; i < 200; i++) bodies.add((await scrape()).body);
  assert.equal(counts.collected, 1);
  assert.equal(bodies.size, 1, "answers share their bytes");
  const packed = await scrape(GZIP);
  assert.equal(packed.headers!["content-encoding"], "gzip");
  assert.equal(await scrape(GZIP), packed);
  assert.equal(counts.collected, 1);
  await scrape({ accept: "application/openmetrics-text" });
  assert.equal(counts.collected, 2);
});

Deno.test("a scrape that is a second old is made again, compressed or not", async () => {
  const { clock, counts, scrape } = make();
  for (const headers of [{}, GZIP, {}]) {
    await scrape(headers);
    await clock.advance(1000);
  }
  assert.equal(counts.collected, 3);
});
