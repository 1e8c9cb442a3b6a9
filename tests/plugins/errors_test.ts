import assert from "node:assert/strict";
import { createErrors } from "../../src/plugins/errors/handler.ts";
import type { ConsolidateOptions } from "../../src/plugins/errors/setup.ts";
import { loadPatterns } from "../../src/plugins/pattern.ts";
import { exchangeFor, fakeEngine } from "../support/engine/fake_engine.ts";

const TIMEOUT = "read udp 192.0.2.1:40000->192.0.2.53:53: i/o timeout";

async function handlerOf(...consolidate: Partial<ConsolidateOptions>[]) {
  await loadPatterns();
  const engine = fakeEngine();
  const defaults: ConsolidateOptions = {
    periodMs: 30_000,
    pattern: "i/o timeout$",
    level: "error",
    showFirst: false,
  };
  const options = {
    stacktrace: false,
    consolidate: consolidate.map((rule) => ({ ...defaults, ...rule })),
  };
  const handler = createErrors(options, { engine, zones: ["."], position: 0 });
  /** Lets a response with this error rise. */
  const fail = (error: string, query = { name: "example.org" }) => {
    const exchange = exchangeFor(query);
    exchange.error = error;
    exchange.response = engine.failure(exchange, 2);
    handler.response!(exchange);
  };
  return { engine, handler, fail };
}

Deno.test("errors logs response code, name, type and error", async () => {
  const { engine, fail } = await handlerOf();
  fail(TIMEOUT);
  fail("no next plugin found", { name: "Wx\nY.example" });
  fail("");
  assert.deepEqual(engine.lines, [
    `[ERROR] plugin/errors: 2 example.org. A: ${TIMEOUT}`,
    "[ERROR] plugin/errors: 2 wx\\010y.example. A: no next plugin found",
  ]);
});

Deno.test("errors counts what a rule matches, and tells once the time is over", async () => {
  const { engine, fail } = await handlerOf({ level: "warning" });
  engine.advanceTo(1000);
  fail(TIMEOUT);
  engine.advanceTo(20_000);
  fail(TIMEOUT);
  fail("connection refused");
  assert.deepEqual(engine.lines, ["[ERROR] plugin/errors: 2 example.org. A: connection refused"]);
  engine.lines.length = 0;
  engine.advanceTo(30_999);
  assert.deepEqual(engine.lines, []);
  engine.advanceTo(31_000);
  assert.deepEqual(engine.lines, [
    "[WARNING] plugin/errors: 2 errors like 'i/o timeout$' occurred in last 30s",
  ]);
  engine.advanceTo(90_000);
  assert.equal(engine.lines.length, 1);
});

Deno.test("errors shows the first error and counts the others, where it is told to", async () => {
  const { engine, fail } = await handlerOf({ showFirst: true, level: "info", periodMs: 300_000 });
  const first = `[INFO] plugin/errors: 2 example.org. A: ${TIMEOUT}`;
  fail(TIMEOUT);
  assert.deepEqual(engine.lines, [first]);
  engine.advanceTo(300_000);
  assert.deepEqual(engine.lines, [first]);
  fail(TIMEOUT);
  fail(TIMEOUT);
  fail(TIMEOUT);
  engine.advanceTo(600_000);
  assert.deepEqual(engine.lines, [
    first,
    first,
    "[INFO] plugin/errors: 3 errors like 'i/o timeout$' occurred in last 5m0s",
  ]);
});

Deno.test("errors takes the first rule that matches", async () => {
  const { engine, fail } = await handlerOf({ pattern: "^read " }, { pattern: "timeout" });
  fail(TIMEOUT);
  fail("dial timeout");
  engine.advanceTo(30_000);
  assert.deepEqual(engine.lines.sort(), [
    "[ERROR] plugin/errors: 1 errors like '^read ' occurred in last 30s",
    "[ERROR] plugin/errors: 1 errors like 'timeout' occurred in last 30s",
  ]);
});

Deno.test("errors tells what it has counted when it stops, and counts no more", async () => {
  const { engine, handler, fail } = await handlerOf({ periodMs: 500 });
  fail(TIMEOUT);
  handler.stop!();
  assert.deepEqual(engine.lines, [
    "[ERROR] plugin/errors: 1 errors like 'i/o timeout$' occurred in last 500ms",
  ]);
  fail(TIMEOUT);
  assert.equal(engine.lines[1], `[ERROR] plugin/errors: 2 example.org. A: ${TIMEOUT}`);
  assert.equal(engine.timers.nextMs, Infinity);
});
