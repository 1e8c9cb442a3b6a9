import assert from "node:assert/strict";
import { type ErrorEvents, surviveErrors } from "../../src/control/last_resort.ts";
import { expose } from "../../src/metrics/exposition.ts";
import { MetricRegistry } from "../../src/metrics/registry.ts";
import { SeriesBook } from "../../src/metrics/series.ts";

function counted(registry: MetricRegistry): number {
  const book = new SeriesBook();
  registry.collect(book);
  return Number(/^nodens_unhandled_errors_total (\d+)/m.exec(expose(book, "text"))?.[1]);
}

Deno.test("rejections and exceptions that nobody catches are counted and logged, and the process goes on", async () => {
  const registry = new MetricRegistry();
  const lines: string[] = [];
  const restore = surviveErrors({
    registry,
    log: (level, line) => lines.push(`${level}: ${line}`),
  });
  try {
    void Promise.reject(new Error("no descriptors\nleft"));
    setTimeout(() => {
      throw new TypeError("not a function");
    });
    void Promise.reject("a text");
    while (lines.length < 3) await new Promise((resolve) => setTimeout(resolve, 5));
  } finally {
    restore();
  }
  assert.equal(counted(registry), 3);
  const text = lines.sort().join("\n");
  assert.match(text, /^error: unexpected .*: Error: no descriptors left \(at .*\); going on$/m);
  assert.match(text, /: TypeError: not a function \(at .*\); going on$/m);
  assert.match(text, /: a text; going on$/m);
});

Deno.test("the same fault over and over does not fill the log", () => {
  const registry = new MetricRegistry();
  const target = new EventTarget();
  const lines: string[] = [];
  let nowMs = 0;
  surviveErrors({
    registry,
    log: (_level, line) => lines.push(line),
    target: target as unknown as ErrorEvents,
    nowMs: () => nowMs,
  });
  const fail = () =>
    target.dispatchEvent(new ErrorEvent("error", { error: new Error("again"), cancelable: true }));
  for (let i = 0; i < 100; i++) fail();
  assert.equal(lines.length, 5);
  nowMs = 10_000;
  fail();
  fail();
  assert.equal(lines.length, 6);
  assert.match(lines[5]!, /and 95 more since the last line/);
  assert.equal(counted(registry), 102);
});
