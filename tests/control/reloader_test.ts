import assert from "node:assert/strict";
import type { ReloadConfig } from "../../src/config/types.ts";
import type { ReloadStatus } from "../../src/control/endpoints/status.ts";
import { Reloader } from "../../src/control/reloader.ts";
import type { LoadedConfig } from "../../src/loading/load.ts";
import { MetricRegistry } from "../../src/metrics/registry.ts";
import { SeriesBook } from "../../src/metrics/series.ts";
import { VirtualClock } from "../support/run/virtual_clock.ts";

const PERIOD: ReloadConfig = { intervalMs: 1000, jitterMs: 500 };
/** Long enough for three reads. */
const THREE_MS = 4500;

/** A reloader whose Corefile is `text`; a text that begins with "bad" cannot be read. */
function make(first: string, reload?: ReloadConfig) {
  const world = {
    text: first,
    reads: 0,
    applied: [] as string[],
    logs: [] as string[],
    done: [] as ReloadStatus[],
    clock: new VirtualClock(),
    applying: (_text: string): Promise<void> => Promise.resolve(),
    registry: new MetricRegistry(),
    value(name: string): number {
      const book = new SeriesBook();
      world.registry.collect(book);
      return book.of(name)[0]?.value ?? NaN;
    },
  };
  const load = (): LoadedConfig => ({
    config: {
      file: world.text,
      blocks: [],
      listeners: [],
      debug: false,
      ...reload !== undefined && { reload },
    },
    warnings: world.text.startsWith("odd") ? ["Corefile:1: odd"] : [],
    imports: [],
  });
  const source = {
    hash: first,
    read() {
      world.reads++;
      source.hash = world.text;
      return world.text.startsWith("bad")
        ? Promise.reject(new Error("Corefile:1: one\nCorefile:2: two"))
        : Promise.resolve(load());
    },
  };
  const reloader = new Reloader({
    source,
    apply: async ({ config }) => {
      await world.applying(config.file);
      world.applied.push(config.file);
    },
    log: (level, line) => world.logs.push(`${level}: ${line}`),
    registry: world.registry,
    onDone: (status) => world.done.push(status),
    clock: world.clock,
  });
  reloader.start(load());
  return Object.assign(world, { reloader });
}

Deno.test("reload: a signal reloads an unchanged Corefile", async () => {
  const { reloader, applied, done } = make("one");
  assert.equal(await reloader.reload("SIGHUP"), true);
  assert.deepEqual(applied, ["one"]);
  assert.equal(done[0]!.ok, true);
  await reloader.stop();
});

Deno.test("reload: without the directive the Corefile is not watched", async () => {
  const world = make("one");
  world.text = "two";
  await world.clock.advance(THREE_MS);
  assert.equal(world.reads, 0);
  await world.reloader.stop();
});

Deno.test("reload: a change is applied once", async () => {
  const world = make("one", PERIOD);
  await world.clock.advance(THREE_MS);
  assert.ok(world.reads >= 3);
  assert.deepEqual(world.applied, []);
  world.text = "odd two";
  await world.clock.advance(2 * THREE_MS);
  assert.deepEqual(world.applied, ["odd two"]);
  assert.ok(world.logs.includes("warning: Corefile:1: odd"));
  assert.ok(world.logs.includes("info: plugin/reload: Running configuration SHA512 = odd two"));
  await world.reloader.stop();
});

Deno.test("reload: faults are logged and counted once for each text; the next text is tried", async () => {
  const world = make("one", PERIOD);
  world.text = "bad";
  await world.clock.advance(2 * THREE_MS);
  assert.ok(world.reads >= 4);
  assert.deepEqual(world.done.map(({ ok, faults }) => ({ ok, faults })), [
    { ok: false, faults: ["Corefile:1: one", "Corefile:2: two"] },
  ]);
  assert.equal(world.logs.filter((line) => line.startsWith("error:")).length, 3);
  assert.equal(world.value("coredns_reload_failed_total"), 1);
  assert.ok(world.logs.includes("error: plugin/reload: Corefile:2: two"));
  world.text = "good";
  await world.clock.advance(THREE_MS);
  assert.deepEqual(world.applied, ["good"]);
  assert.equal(world.done.at(-1)!.ok, true);
  await world.reloader.stop();
});

Deno.test("reload: a change that fails is reported with the reason", async () => {
  const world = make("one");
  world.applying = () => Promise.reject(new Error("Cannot listen on 127.0.0.1:53: in use"));
  assert.equal(await world.reloader.reload("SIGUSR1"), false);
  assert.deepEqual(world.done[0]!.faults, ["Cannot listen on 127.0.0.1:53: in use"]);
  await world.reloader.stop();
});

Deno.test("reload: signals during a reload cause one more reload", async () => {
  const world = make("one");
  const gate = Promise.withResolvers<void>();
  let running = 0;
  let most = 0;
  world.applying = async () => {
    most = Math.max(most, ++running);
    await gate.promise;
    running--;
  };
  const all = [world.reloader.reload("a")];
  await world.clock.advance(0);
  assert.equal(running, 1);
  all.push(...["b", "c", "d"].map((why) => world.reloader.reload(why)));
  gate.resolve();
  assert.deepEqual(await Promise.all(all), [true, true, true, true]);
  assert.equal(most, 1);
  assert.equal(world.applied.length, 2);
  await world.reloader.stop();
});

Deno.test("reload: stopping waits for the current reload and starts no other", async () => {
  const world = make("one", PERIOD);
  const gate = Promise.withResolvers<void>();
  world.applying = () => gate.promise;
  const reload = world.reloader.reload("SIGHUP");
  await world.clock.advance(0);
  assert.equal(world.reads, 1);
  const late = world.reloader.reload("SIGHUP");
  let stopped = false;
  const stopping = world.reloader.stop().then(() => stopped = true);
  await world.clock.advance(THREE_MS);
  assert.equal(stopped, false);
  gate.resolve();
  await stopping;
  assert.equal(await reload, true);
  assert.equal(await late, false);
  assert.equal(world.clock.timers, 0);
});
