import assert from "node:assert/strict";
import { type ErrorEvents, surviveErrors } from "../../src/control/exceptions.ts";
import { MetricRegistry } from "../../src/metrics/registry.ts";
import { SeriesBook } from "../../src/metrics/series.ts";
import { until } from "../support/run/until.ts";
import { VirtualClock } from "../support/run/virtual_clock.ts";

function counted(registry: MetricRegistry): number {
  const book = new SeriesBook();
  registry.collect(book);
  return book.of("nodens_unhandled_errors_total")[0]!.value;
}

Deno.test("uncaught exceptions and rejections are counted and logged, and the process survives", async () => {
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
    await until(() => lines.length === 3);
  } finally {
    restore();
  }
  assert.equal(counted(registry), 3);
  const text = lines.sort().join("\n");
  assert.match(text, /^error: unexpected .*: Error: no descriptors left \(at .*\); continuing$/m);
  assert.match(text, /: TypeError: not a function \(at .*\); continuing$/m);
  assert.match(text, /: a text; continuing$/m);
});

Deno.test("a recurring exception does not fill the log", async () => {
  const registry = new MetricRegistry();
  const clock = new VirtualClock();
  const target = new EventTarget();
  const lines: string[] = [];
  surviveErrors({
    registry,
    log: (_level, line) => lines.push(line),
    target: target as unknown as ErrorEvents,
    clock,
  });
  const fail = () =>
    target.dispatchEvent(new ErrorEvent("error", { error: new Error("again"), cancelable: true }));
  for (let i = 0; i < 100; i++) fail();
  assert.equal(lines.length, 5);
  await clock.advance(10_000);
  fail();
  fail();
  assert.equal(lines.length, 6);
  assert.match(lines[5]!, /and 95 more since the last line/);
  assert.equal(counted(registry), 102);
});
