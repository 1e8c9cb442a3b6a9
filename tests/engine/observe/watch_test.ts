import assert from "node:assert/strict";
import type { WatchFilter } from "../../../src/engine/observe/requests.ts";
import { RING_LINES } from "../../../src/engine/observe/watchers.ts";
import { WALL_MS } from "../../support/simulation/simulation.ts";
import { Scene } from "./scene.ts";

Deno.test("watch: a line tells who asked what, and what the answer was", () => {
  const scene = new Scene();
  assert.equal(scene.watch().begun, true);
  scene.query("www.Example.org");
  scene.query("www.example.org");
  const { lines, lost, more, begun, refused } = scene.watch();
  assert.deepEqual({ lost, more, begun, refused }, {
    lost: 0,
    more: false,
    begun: false,
    refused: false,
  });
  assert.equal(lines.length, 2);
  assert.deepEqual({ ...lines[0]!, timeMs: 0, waitedMs: 0, upstream: "" }, {
    timeMs: 0,
    client: "192.0.2.99",
    transport: "udp",
    name: "www.example.org.",
    qtype: 1,
    rcode: 0,
    answers: 1,
    address: "192.0.2.7",
    ttl: 300,
    source: "upstream",
    upstream: "",
    waitedMs: 0,
    reason: "",
  });
  assert.equal(lines[1]!.source, "cache");
  assert.equal(lines[1]!.waitedMs, 0);
  assert.ok(lines[0]!.waitedMs >= 1);
  assert.ok(lines[0]!.timeMs >= WALL_MS);
});

const ASKED = [
  { name: "www.local.test", client: "10.1.2.3" },
  { name: "a.www.local.test", client: "10.1.3.4" },
  { name: "no.example.org", client: "2001:db8:1::5" },
  { name: "slow.example.org", client: "10.200.0.1" },
  { name: "xwww.local.test", client: "2001:db8:2::5" },
  { name: "www.drop.test", client: "10.1.2.3" },
];

for (
  const [what, filter, indices] of [
    ["no condition", {}, [0, 1, 2, 3, 4, 5]],
    ["a network", { client: { address: [10, 1, 0, 0], prefix: 15 } }, [0, 1, 5]],
    ["an address", { client: { address: [10, 1, 2, 3], prefix: 32 } }, [0, 5]],
    ["any IPv4 address", { client: { address: [0, 0, 0, 0], prefix: 0 } }, [0, 1, 3, 5]],
    [
      "an IPv6 network",
      { client: { address: [0x20, 1, 13, 184, 0, 1, ...new Array(10).fill(0)], prefix: 47 } },
      [2],
    ],
    ["a name and those below", { zone: "WWW.local.test." }, [0, 1]],
    ["an rcode", { rcodes: [2, 3] }, [2]],
    ["no answer", { rcodes: [-1] }, [5]],
    ["slowness", { slowMs: 50 }, [3]],
    ["one of three", { sample: 3 }, [0, 3]],
    ["all conditions at once", { slowMs: 50, zone: "local.test." }, []],
  ] as const satisfies readonly (readonly [string, Partial<WatchFilter>, readonly number[]])[]
) {
  Deno.test(`watch: a filter by ${what}`, () => {
    const scene = new Scene();
    scene.watch(filter);
    for (const { name, client } of ASKED) scene.query(name, { client, runMs: 100 });
    assert.deepEqual(
      scene.watch(filter).lines.map(({ name }) => name),
      indices.map((i) => `${ASKED[i]!.name}.`),
    );
  });
}

Deno.test("watch: lines come in slices, and those beyond the ring are counted as lost", () => {
  const scene = new Scene();
  scene.watch();
  for (let i = 0; i < RING_LINES + 7; i++) scene.query(`n${i}.local.test`, { runMs: 0 });
  const first = scene.watch();
  assert.deepEqual([first.lost, first.more], [7, true]);
  scene.query("later.local.test", { runMs: 0 });
  const names = first.lines.map(({ name }) => name);
  for (let reply = first; reply.more;) {
    reply = scene.watch();
    assert.equal(reply.lost, 0);
    names.push(...reply.lines.map(({ name }) => name));
  }
  const kept = Array.from({ length: RING_LINES }, (_, i) => `n${i}.local.test.`);
  assert.deepEqual(names, [...kept, "later.local.test."]);
});

Deno.test("watch: watchers do not take each other's lines, and a fifth is refused", () => {
  const scene = new Scene();
  for (const id of ["a", "b", "c", "d"]) assert.equal(scene.watch({}, id).refused, false);
  assert.equal(scene.watch({}, "e").refused, true);
  scene.query("www.local.test");
  assert.deepEqual(["a", "b"].map((id) => scene.watch({}, id).lines.length), [1, 1]);
  scene.request({ type: "unwatch", id: "c" });
  assert.equal(scene.watch({}, "e").refused, false);
});

Deno.test("watch: a watcher whose lines nobody collects ends after three seconds", () => {
  const scene = new Scene();
  const idle = scene.engine.timers.size;
  scene.watch({}, "left");
  for (let i = 0; i < 10; i++) {
    scene.watch({}, "alive");
    scene.run(1000);
  }
  for (const id of ["x", "y", "z"]) assert.equal(scene.watch({}, id).refused, false, id);
  assert.equal(scene.watch({}, "alive").begun, false);
  scene.run(10_000);
  assert.equal(scene.watch({}, "alive").begun, true);
  scene.run(10_000);
  assert.equal(scene.engine.timers.size, idle, "no timer is left");
});
