import assert from "node:assert/strict";
import {
  ClientNames,
  type NameSource,
  type NamesRead,
} from "../../../src/control/clients/client_names.ts";
import { ClientTable } from "../../../src/engine/observe/client_table.ts";
import { MetricRegistry } from "../../../src/metrics/registry.ts";
import { SeriesBook } from "../../../src/metrics/series.ts";
import { VirtualClock } from "../../support/run/virtual_clock.ts";

const namesOf = (names: Record<string, string>, skipped = ""): NamesRead => ({
  names: Object.entries(names).map(([address, name]) => ({ address, name })),
  skipped,
});

/** Names read from a list of results; the last one is repeated. */
function make(results: (NamesRead | null | Error)[], changes: Partial<NameSource> = {}) {
  const clock = new VirtualClock({ nowMs: 1e6 });
  const registry = new MetricRegistry();
  const logs: string[] = [];
  const tables: ClientTable[] = [];
  const readMs: number[] = [];
  const source: NameSource = {
    label: "the list",
    everyMs: 10_000,
    keptMs: 300_000,
    read() {
      readMs.push(clock.now() - 1e6);
      const result = results.length > 1 ? results.shift()! : results[0]!;
      return result instanceof Error ? Promise.reject(result) : Promise.resolve(result);
    },
    ...changes,
  };
  const names = new ClientNames({
    source,
    planes: [{ nameClients: (table) => void tables.push(new ClientTable(table)) }],
    registry,
    log: (level, line) => void logs.push(`${level}: ${line}`),
    clock,
  });
  const metrics = () => {
    const book = new SeriesBook();
    registry.collect(book);
    const value = (name: string) => book.of(name)[0]?.value;
    return {
      names: value("nodens_client_names"),
      age: value("nodens_client_names_age_seconds"),
      failures: value("nodens_client_names_failures_total"),
    };
  };
  names.start();
  return { names, clock, logs, tables, metrics, readMs };
}

Deno.test("client names: an address in any form has the last name read", async () => {
  const { names, clock, tables } = make([
    namesOf({ "10.1.0.7": "shop/cart", "fd00::7": "shop/cart" }),
    namesOf({ "10.1.0.7": "web/front" }),
  ]);
  assert.equal(names.nameOf("10.1.0.7"), null);
  await clock.advance(0);
  for (const address of ["10.1.0.7", "::ffff:10.1.0.7", "fd00:0::7"]) {
    assert.equal(names.nameOf(address), "shop/cart", address);
  }
  assert.equal(names.nameOf("10.1.0.8"), null);
  assert.equal(names.nameOf("what"), null);
  await clock.advance(10_000);
  assert.equal(names.nameOf("10.1.0.7"), "web/front");
  assert.equal(names.nameOf("fd00::7"), null);
  assert.deepEqual(tables.map(({ size }) => size), [0, 2, 1]);
  await names.stop();
  assert.equal(clock.timers, 0);
});

Deno.test("client names: data planes get names only when they have changed", async () => {
  const { clock, tables, names } = make([
    namesOf({ "10.1.0.7": "shop/cart" }),
    null,
    namesOf({
      "10.1.0.7": "shop/cart",
    }),
  ]);
  await clock.advance(60_000);
  assert.equal(tables.length, 2);
  await names.stop();
});

Deno.test("client names: a failure is logged once, keeps the names and is retried ever later", async () => {
  const { names, clock, logs, metrics, readMs } = make([
    namesOf({ "10.1.0.7": "shop/cart" }),
    new Error("connection refused"),
    new Error("connection refused"),
    new Error("HTTP 500"),
    new Error("HTTP 500"),
    namesOf({ "10.1.0.7": "shop/cart" }),
  ]);
  await clock.advance(10_000);
  assert.deepEqual(metrics(), { names: 1, age: 10, failures: 1 });
  await clock.advance(180_000);
  assert.deepEqual(readMs, [0, 10_000, 30_000, 70_000, 130_000, 190_000]);
  assert.deepEqual(metrics(), { names: 1, age: 0, failures: 4 });
  assert.equal(names.nameOf("10.1.0.7"), "shop/cart");
  const failed = (why: string) =>
    `error: clients: Cannot read the list: ${why}; the names read before are used`;
  assert.deepEqual(logs, [
    failed("connection refused"),
    failed("HTTP 500"),
    "info: clients: the list can be read again",
  ]);
  await clock.advance(10_000);
  assert.equal(readMs.at(-1), 200_000);
  await names.stop();
});

Deno.test("client names: names that have become too old are dropped, and said to be", async () => {
  const { names, clock, logs, metrics } = make([
    namesOf({ "10.1.0.7": "shop/cart" }),
    new Error("connection refused"),
  ]);
  await clock.advance(290_000);
  assert.equal(names.nameOf("10.1.0.7"), "shop/cart");
  await clock.advance(60_000);
  assert.equal(names.nameOf("10.1.0.7"), null);
  assert.equal(metrics().names, 0);
  assert.equal(logs.length, 2);
  assert.match(logs[1]!, /connection refused; clients have no names$/);
  await names.stop();
});

Deno.test("client names: without a first read there is no age", async () => {
  const { clock, metrics, logs, names } = make([new Error("there is no such file")]);
  await clock.advance(1000);
  assert.deepEqual(metrics(), { names: 0, age: undefined, failures: 1 });
  assert.match(logs[0]!, /no such file; clients have no names$/);
  await names.stop();
});

Deno.test("client names: what is skipped is logged when it changes", async () => {
  const { clock, logs, names } = make([
    namesOf({}, "a line is skipped: a:1: x"),
    namesOf({ "10.1.0.7": "x" }, "a line is skipped: a:1: x"),
    namesOf({ "10.1.0.7": "x" }),
    namesOf({ "10.1.0.7": "x" }, "a line is skipped: a:1: x"),
  ]);
  await clock.advance(60_000);
  const line = "warning: clients: the list: a line is skipped: a:1: x";
  assert.deepEqual(logs, [line, line]);
  await names.stop();
});

Deno.test("client names: names beyond the bounds are left out, and counted in the log", async () => {
  const long = Object.fromEntries(
    Array.from({ length: 15_000 }, (_, i) => [`10.0.${i >> 8}.${i & 255}`, "x".repeat(300)]),
  );
  const { clock, logs, metrics, names } = make([namesOf(long)]);
  await clock.advance(0);
  const used = metrics().names!;
  assert.ok(used > 10_000 && used < 15_000);
  assert.deepEqual(logs, [
    `warning: clients: the list: ${
      15_000 - used
    } names are left out (at most 65536 addresses, and ` +
    "4194304 bytes of names)",
  ]);
  await names.stop();
});

Deno.test("client names: stopping does not wait for a read that ends never", async () => {
  const { names, clock, logs } = make([], { read: () => new Promise(() => {}) });
  await clock.advance(0);
  const stopped = names.stop();
  await clock.advance(500);
  await stopped;
  assert.deepEqual([clock.timers, logs], [0, []]);
});

Deno.test("client names: stopping ends a read that hangs, and reads no more", async () => {
  let reads = 0;
  const { names, clock, logs } = make([], {
    read: (signal) =>
      new Promise((_, reject) => {
        reads++;
        signal.addEventListener("abort", () => reject(new Error("stopped")));
      }),
  });
  await clock.advance(0);
  await names.stop();
  await clock.advance(100_000);
  assert.deepEqual([reads, logs], [1, []]);
});
