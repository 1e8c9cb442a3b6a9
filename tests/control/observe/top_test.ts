import assert from "node:assert/strict";
import { TopSource } from "../../../src/control/observe/top_source.ts";
import type { TopStatus } from "../../../src/control/observe/top_source.ts";
import { TOP_LISTS, type TopQuery } from "../../../src/control/observe/top_snapshot.ts";
import { VirtualClock } from "../../support/run/virtual_clock.ts";
import { ScenePlane, statusOf } from "./scene.ts";

const WALL_MS = Date.UTC(2026, 0, 1);
const ALL: TopQuery = { lists: TOP_LISTS, span: "minute", n: 10 };

function start(planes: readonly ScenePlane[], status: () => TopStatus = () => statusOf()) {
  const clock = new VirtualClock({ wallMs: WALL_MS });
  const top = new TopSource({ planes, status: () => Promise.resolve(status()), clock });
  return { clock, top };
}

Deno.test("top: the first snapshot shows the rates of the last minute", async () => {
  const plane = new ScenePlane({ startMs: 60_000 });
  const { top } = start([plane]);
  for (let i = 0; i < 30; i++) plane.scene.query("www.example.org", { runMs: 1000 });
  // The minute began with the first answer.
  plane.scene.run(1);
  const snapshot = await top.snapshot(ALL);
  const { rates, latency, lists, upstreams } = snapshot;
  assert.equal(snapshot.at, "2026-01-01T00:00:00.000Z");
  assert.deepEqual([snapshot.version, snapshot.pid], ["1.2.3", 4711]);
  assert.deepEqual(snapshot.dataPlanes, { running: 1, answered: 1 });
  assert.equal(rates.seconds, 30);
  assert.equal(rates.answers, 1);
  assert.deepEqual(rates.bySource, [
    { source: "cache", perSecond: 29 / 30 },
    { source: "upstream", perSecond: 1 / 30 },
  ]);
  assert.deepEqual(rates.byRcode, [{ rcode: "NOERROR", perSecond: 1 }]);
  assert.equal(rates.hitRatio, 29 / 30);
  assert.equal(latency!.all.p50, 0);
  assert.ok(latency!.waited.p50! >= 1);
  assert.equal(upstreams[0]!.repliesPerSecond, null);
  assert.deepEqual(lists!.names, [
    { name: "www.example.org.", type: "A", queries: 30, perSecond: 1, uncertain: 0 },
  ]);
  assert.deepEqual(lists!.clients.map(({ address, name }) => [address, name]), [
    ["192.0.2.99", null],
  ]);
  assert.deepEqual(lists!.zones.map(({ zone }) => zone), ["example.org."]);
  assert.equal(lists!.slow[0]!.name, "www.example.org.");
  assert.equal(lists!.sampledEvery, 1);
});

Deno.test("top: clients have their names, alone and with slow queries", async () => {
  const plane = new ScenePlane();
  const top = new TopSource({
    planes: [plane],
    status: () => Promise.resolve(statusOf()),
    nameClient: (address) => address === "10.1.0.7" ? "shop/cart" : null,
    clock: new VirtualClock({ wallMs: WALL_MS }),
  });
  plane.scene.query("www.example.org", { client: "10.1.0.7", runMs: 1000 });
  plane.scene.query("www.example.org", { client: "10.1.0.8", runMs: 1000 });
  const { clients, slow } = (await top.snapshot(ALL)).lists!;
  assert.deepEqual(
    new Map(clients.map(({ address, name }) => [address, name])),
    new Map([
      ["10.1.0.7", "shop/cart"],
      ["10.1.0.8", null],
    ]),
  );
  assert.deepEqual(slow.map(({ client, clientName }) => [client, clientName]), [
    ["10.1.0.7", "shop/cart"],
  ]);
});

Deno.test("top: later snapshots show the rates since one about a second ago", async () => {
  const plane = new ScenePlane();
  let replies = 10;
  const { top, clock } = start([plane], () => statusOf(replies, 1));
  plane.scene.query("www.example.org");
  await top.snapshot(ALL);
  await clock.advance(2000);
  replies = 14;
  for (let i = 0; i < 6; i++) plane.scene.query("www.example.org");
  const { rates, upstreams } = await top.snapshot(ALL);
  assert.deepEqual([rates.seconds, rates.answers, rates.hitRatio], [2, 3, 1]);
  assert.deepEqual(rates.byRcode, [{ rcode: "NOERROR", perSecond: 3 }]);
  assert.deepEqual(upstreams, [{
    to: "10.0.0.1:53",
    state: "up",
    rttMs: 1.25,
    repliesPerSecond: 2,
    failuresPerSecond: 0,
  }]);
  await clock.advance(3_600_000);
  assert.ok((await top.snapshot(ALL)).rates.seconds < 3600, "not the mean of an hour");
});

Deno.test("top: an upstream that an operator has set is shown as such", async () => {
  const status = statusOf(0, 0);
  Object.assign(status.blocks[0]!.forwards[0]!.upstreams[0]!, { forced: "down" });
  const { top } = start([new ScenePlane()], () => status);
  const { upstreams } = await top.snapshot(ALL);
  assert.deepEqual(upstreams.map(({ state }) => state), ["up (down by hand)"]);
});

Deno.test("top: data planes are merged", async () => {
  const planes = [new ScenePlane(), new ScenePlane()];
  const { top } = start(planes);
  for (const { scene } of planes) {
    scene.query("www.local.test");
    scene.query("elsewhere.test");
    scene.query("slow.example.org", { runMs: 100 });
  }
  planes[1]!.scene.query("only.local.test");
  const { lists, rates } = await top.snapshot(ALL);
  assert.deepEqual(lists!.names.map(({ name, queries }) => [name, queries]), [
    ["www.local.test.", 2],
    ["elsewhere.test.", 2],
    ["slow.example.org.", 2],
    ["only.local.test.", 1],
  ]);
  assert.deepEqual(lists!.failures.map(({ name, rcode, queries }) => [name, rcode, queries]), [
    ["elsewhere.test.", "REFUSED", 2],
  ]);
  assert.equal(lists!.slow.length, 1);
  assert.equal(rates.answers, 7);
});

Deno.test("top: a data plane that does not answer is left out, and the answers are still counted", async () => {
  const planes = [new ScenePlane(), new ScenePlane()];
  const { top } = start(planes);
  for (const { scene } of planes) scene.query("www.local.test");
  planes[1]!.silent = true;
  const { dataPlanes, lists, rates } = await top.snapshot(ALL);
  assert.deepEqual(dataPlanes, { running: 2, answered: 1 });
  assert.equal(lists!.names[0]!.queries, 1);
  assert.equal(rates.bySource[0]!.source, "template");
  assert.equal(rates.answers, 2);
});

Deno.test("top: with -top off there are no lists, and rates by source since the start", async () => {
  const plane = new ScenePlane();
  plane.off = true;
  const { top } = start([plane]);
  for (let i = 0; i < 100; i++) plane.scene.query("www.local.test");
  const { dataPlanes, lists, latency, rates } = await top.snapshot(ALL);
  assert.deepEqual([lists, latency, rates.byRcode], [null, null, null]);
  assert.deepEqual(dataPlanes, { running: 1, answered: 1 });
  assert.deepEqual([rates.seconds, rates.answers], [100, 1]);
});

Deno.test("top: viewers share what the data planes are asked", async () => {
  const plane = new ScenePlane();
  const { top, clock } = start([plane]);
  await Promise.all(Array.from({ length: 20 }, () => top.snapshot(ALL)));
  const once = plane.requests.length;
  assert.equal(once, 1 + TOP_LISTS.length);
  await top.snapshot({ ...ALL, n: 3 });
  assert.equal(plane.requests.length, once);
  await clock.advance(1000);
  await top.snapshot({ ...ALL, lists: ["zones"] });
  assert.deepEqual(plane.requests.slice(once).map(({ type }) => type), ["tallies", "list"]);
});

Deno.test("top: what is only possibly frequent comes last, or not at all", async () => {
  const plane = new ScenePlane();
  const { top } = start([plane]);
  for (let i = 0; i < 40; i++) {
    for (let n = 0; n < 10; n++) plane.scene.query(`x${i}-${n}.local.test`, { runMs: 0 });
    plane.scene.query("www.local.test", { runMs: 1000 });
  }
  const { lists } = await top.snapshot({ ...ALL, n: 100 });
  const [first, second] = lists!.names;
  assert.equal(first!.name, "www.local.test.");
  assert.ok(first!.queries >= 35 && first!.queries + first!.uncertain >= 40);
  assert.ok(second!.queries <= 2, JSON.stringify(second));
});
