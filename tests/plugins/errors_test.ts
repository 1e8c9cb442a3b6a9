import assert from "node:assert/strict";
import { createErrors } from "../../src/plugins/errors/handler.ts";
import type { ConsolidateOptions } from "../../src/plugins/errors/setup.ts";
import { exchangeFor, fakeEngine } from "../support/engine/fake_engine.ts";
import { makeHandler } from "./make_handler.ts";
import "../support/engine/all_plugins.ts";

const TIMEOUT = "read udp 192.0.2.1:40000->192.0.2.53:53: i/o timeout";
const LOGGED = `plugin/errors: 2 example.org. A: ${TIMEOUT}`;

function start(...consolidate: Partial<ConsolidateOptions>[]) {
  const engine = fakeEngine();
  const rules = consolidate.map((rule): ConsolidateOptions => ({
    ...{ periodMs: 30_000, pattern: "i/o timeout$", level: "error", showFirst: false },
    ...rule,
  }));
  const handler = makeHandler(createErrors, { stacktrace: false, consolidate: rules }, engine);
  const fail = (error: string, name = "example.org", queries = 1) => {
    const exchange = exchangeFor({ name });
    exchange.error = error;
    exchange.errorQueries = queries;
    exchange.response = engine.failure(exchange, 2);
    handler.response!(exchange);
  };
  const logged = (nowMs = engine.nowMs) => {
    engine.advanceTo(nowMs);
    return engine.lines.splice(0);
  };
  return { engine, handler, fail, logged };
}

Deno.test("errors logs the response code, name, type and error", () => {
  const { fail, logged } = start();
  fail(TIMEOUT);
  fail("no next plugin found", "Wx\nY.example");
  fail("");
  assert.deepEqual(logged(), [
    `[ERROR] ${LOGGED}`,
    "[ERROR] plugin/errors: 2 wx\\010y.example. A: no next plugin found",
  ]);
});

Deno.test("errors logs one line for queries that waited for one answer", () => {
  const { fail, logged } = start({ pattern: "refused", showFirst: true });
  for (const queries of [3, 0, 0]) fail(TIMEOUT, "example.org", queries);
  assert.deepEqual(logged(), [`[ERROR] ${LOGGED} (3 queries)`]);
  for (const queries of [2, 0]) fail("connection refused", "example.org", queries);
  assert.deepEqual(logged(), [
    "[ERROR] plugin/errors: 2 example.org. A: connection refused (2 queries)",
  ]);
  assert.deepEqual(logged(30_000), [
    "[ERROR] plugin/errors: 2 errors like 'refused' occurred in last 30s",
  ]);
});

Deno.test("errors counts matches of a rule, and logs the count after the period", () => {
  const { fail, logged } = start({ level: "warning" });
  assert.deepEqual(logged(1000), []);
  fail(TIMEOUT);
  assert.deepEqual(logged(20_000), []);
  fail(TIMEOUT);
  fail("connection refused");
  assert.deepEqual(logged(), ["[ERROR] plugin/errors: 2 example.org. A: connection refused"]);
  assert.deepEqual(logged(30_999), []);
  assert.deepEqual(logged(31_000), [
    "[WARNING] plugin/errors: 2 errors like 'i/o timeout$' occurred in last 30s",
  ]);
  assert.deepEqual(logged(90_000), []);
});

Deno.test("errors with show_first logs the first error and counts the others", () => {
  const { fail, logged } = start({ showFirst: true, level: "info", periodMs: 300_000 });
  fail(TIMEOUT);
  assert.deepEqual(logged(), [`[INFO] ${LOGGED}`]);
  assert.deepEqual(logged(300_000), []);
  for (let i = 0; i < 3; i++) fail(TIMEOUT);
  assert.deepEqual(logged(600_000), [
    `[INFO] ${LOGGED}`,
    "[INFO] plugin/errors: 3 errors like 'i/o timeout$' occurred in last 5m0s",
  ]);
});

Deno.test("errors applies the first rule that matches", () => {
  const { fail, logged } = start({ pattern: "^read " }, { pattern: "timeout" });
  fail(TIMEOUT);
  fail("dial timeout");
  assert.deepEqual(logged(30_000).sort(), [
    "[ERROR] plugin/errors: 1 errors like '^read ' occurred in last 30s",
    "[ERROR] plugin/errors: 1 errors like 'timeout' occurred in last 30s",
  ]);
});

Deno.test("errors logs its counts when it stops, and stops counting", () => {
  const { engine, handler, fail, logged } = start({ periodMs: 500 });
  fail(TIMEOUT);
  handler.stop!();
  assert.deepEqual(logged(), [
    "[ERROR] plugin/errors: 1 errors like 'i/o timeout$' occurred in last 500ms",
  ]);
  fail(TIMEOUT);
  assert.deepEqual(logged(), [`[ERROR] ${LOGGED}`]);
  assert.equal(engine.timers.nextMs, Infinity);
});
