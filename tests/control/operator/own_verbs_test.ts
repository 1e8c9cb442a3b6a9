import assert from "node:assert/strict";
import { processVerbs } from "../../../src/control/operator/own_verbs.ts";
import type { ReloadStatus, Status } from "../../../src/control/endpoints/status.ts";
import { VerbError } from "../../../src/plugins/verbs.ts";
import { VirtualClock } from "../../support/run/virtual_clock.ts";

/** The verbs of a process, and what they have done to it. */
function scene(lastReload: ReloadStatus | null = null) {
  const clock = new VirtualClock();
  const done: string[] = [];
  const verbs = processVerbs({
    status: () => Promise.resolve({ pid: 7 } as Status),
    reload: (why) => Promise.resolve(done.push(`reload ${why}`)),
    lastReload: () => lastReload,
    setDebug: (debug) => done.push(`debug ${debug}`),
    stop: (why) => done.push(`stop ${why}`),
  }, clock);
  const run = async (name: string, parameters: Record<string, string> = {}) =>
    await verbs.find((verb) => verb.name === name)!.run({
      parameters: new Map(Object.entries(parameters)),
      config: { file: "", blocks: [], listeners: [], debug: false },
      gone: new AbortController().signal,
    });
  return { clock, done, run };
}

Deno.test("log: debug lines end after their time, and a new command counts from itself", async () => {
  const { clock, done, run } = scene();
  await run("log", { debug: "on", for: "10s" });
  await clock.advance(9_000);
  await run("log", { debug: "on", for: "10s" });
  await clock.advance(9_000);
  assert.deepEqual(done, ["debug true", "debug true"]);
  await clock.advance(1_000);
  assert.deepEqual(done.slice(2), ["debug null"]);
  await run("log", { debug: "off" });
  await clock.advance(1e9);
  assert.deepEqual(done.slice(3), ["debug false"]);
});

for (
  const parameters of [
    {},
    { debug: "yes" },
    { debug: "on", for: "" },
    { debug: "on", for: "-1s" },
    { debug: "on", for: "9999h" },
  ] as Record<string, string>[]
) {
  Deno.test(`log: ${JSON.stringify(parameters)} is refused and changes nothing`, async () => {
    const { done, run } = scene();
    await assert.rejects(run("log", parameters), VerbError);
    assert.deepEqual(done, []);
  });
}

Deno.test("reload: a refused Corefile is an error with its faults", async () => {
  const refused = scene({ at: "", ok: false, faults: ["Corefile:1: one", "Corefile:2: two"] });
  await assert.rejects(refused.run("reload"), /refused: Corefile:1: one; Corefile:2: two$/);
  const good = { at: "2026-01-01T00:00:00Z", ok: true, faults: [] };
  assert.deepEqual(await scene(good).run("reload"), good);
});

Deno.test("stop: nodens stops after the answer", async () => {
  const { clock, done, run } = scene();
  assert.deepEqual(await run("stop"), { stopping: true });
  assert.deepEqual(done, []);
  await clock.advance(50);
  assert.deepEqual(done, ["stop control socket"]);
});
