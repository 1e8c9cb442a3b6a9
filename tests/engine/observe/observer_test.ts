import assert from "node:assert/strict";
import { typeText } from "../../../src/dns/mnemonics.ts";
import { Memory } from "../../../src/engine/memory.ts";
import { RCODE_TALLIES } from "../../../src/engine/observe/tallies.ts";
import { queryBytes } from "../../support/messages/messages.ts";
import { COREFILE, Scene } from "./scene.ts";
import { Simulation } from "../../support/simulation/simulation.ts";

const MINUTE_MS = 60_000;

Deno.test("observer: names are counted by type, whatever their case", () => {
  const scene = new Scene();
  for (const name of ["www.example.org", "WWW.Example.org", "b.example.org"]) scene.query(name);
  scene.query("www.example.org", { type: "AAAA" });
  assert.deepEqual(
    scene.counts("names", "minute", ({ text, qtype }) => `${text} ${typeText(qtype)}`),
    {
      "www.example.org. A": 2,
      "www.example.org. AAAA": 1,
      "b.example.org. A": 1,
    },
  );
});

Deno.test("observer: clients are counted by their whole address", () => {
  const scene = new Scene();
  for (const client of ["192.0.2.1", "192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2"]) {
    scene.query("www.example.org", { client });
  }
  assert.deepEqual(scene.counts("clients"), {
    "192.0.2.1": 2,
    "192.0.2.2": 1,
    "2001:db8::1": 1,
    "2001:db8::2": 1,
  });
});

for (
  const [name, zone] of [
    ["www.example.org", "example.org."],
    ["example.org", "org."],
    ["org", "."],
    [".", "."],
    ["a.b.c.d.example.org", "c.d.example.org."],
    ["pod.my-namespace.svc.cluster.local", "my-namespace.svc.cluster.local."],
  ] as const
) {
  Deno.test(`observer: the zone of ${name} is ${zone}`, () => {
    const scene = new Scene();
    scene.query(name);
    assert.deepEqual(scene.counts("zones"), { [zone]: 1 });
  });
}

Deno.test("observer: failures are listed with rcode and reason, denials are none", () => {
  const scene = new Scene();
  scene.query("no.example.org");
  scene.query("bad.example.org");
  scene.query("elsewhere.test");
  scene.upstream("10.0.0.1:53", () => "refuse");
  scene.query("silent.example.org", { runMs: 9000 });
  const failures = scene.list("failures").counts.map((
    { text, rcode, reason },
  ) => [text, RCODE_TALLIES[rcode], reason]);
  assert.deepEqual(failures.map(([text, rcode]) => [text, rcode]), [
    ["bad.example.org.", "REFUSED"],
    ["elsewhere.test.", "REFUSED"],
    ["silent.example.org.", "SERVFAIL"],
  ]);
  assert.match(failures[2]![2]!, /10\.0\.0\.1:53/);
});

Deno.test("observer: a query that is dropped on purpose is not a failure", () => {
  const scene = new Scene();
  scene.query("www.drop.test");
  assert.deepEqual(scene.counts("failures"), {});
  assert.deepEqual(scene.counts("names"), { "www.drop.test.": 1 });
  assert.equal(scene.tallies().now.rcodes[RCODE_TALLIES.indexOf("none")], 1);
});

Deno.test("observer: failures are counted beyond the sample, but not without limit", () => {
  const scene = new Scene();
  // The rate becomes known, and most queries are left out.
  for (let i = 0; i < 20_000; i++) scene.ask(queryBytes({ name: "www.local.test" }));
  scene.leap(100);
  scene.query("elsewhere.test", { runMs: 0 });
  assert.deepEqual(scene.counts("failures"), { "elsewhere.test.": 1 });
  for (let i = 0; i < 20_000; i++) scene.ask(queryBytes({ name: "elsewhere.test" }));
  const counted = scene.counts("failures")["elsewhere.test."]!;
  assert.ok(counted > 15_000 && counted < 25_000, `${counted}`);
});

Deno.test("observer: the longest waits are listed once a question, with server and client", () => {
  const scene = new Scene();
  scene.query("www.example.org");
  scene.query("slow1.example.org", { runMs: 200, client: "192.0.2.9" });
  scene.query("slow2.example.org", { runMs: 200, client: "2001:db8::9" });
  scene.query("slow1.example.org", { runMs: 200 });
  const { slow } = scene.list("slow");
  const shown = slow.map((
    { name, client, source, address, ttl },
  ) => [name, client, source, address, ttl]);
  assert.deepEqual(shown, [
    ["www.example.org.", "192.0.2.99", "upstream", "192.0.2.7", 300],
    ["slow1.example.org.", "192.0.2.9", "upstream", "192.0.2.7", 300],
    ["slow2.example.org.", "2001:db8::9", "upstream", "192.0.2.7", 300],
  ]);
  assert.deepEqual(slow.map(({ waitedMs }) => waitedMs >= 80), [false, true, true]);
});

Deno.test("observer: tallies tell rcodes, sources and waits", () => {
  const scene = new Scene();
  for (const name of ["a", "a", "a", "no"]) scene.query(`${name}.example.org`);
  scene.query("www.local.test");
  scene.query("elsewhere.test");
  const { now, before } = scene.tallies();
  const rcodes = Object.fromEntries(now.rcodes.map((count, i) => [RCODE_TALLIES[i], count]));
  assert.equal(rcodes.NOERROR, 4);
  assert.equal(rcodes.NXDOMAIN, 1);
  assert.equal(rcodes.REFUSED, 1);
  assert.equal(now.immediate, 4);
  assert.equal(now.waited.reduce((sum, count) => sum + count), 2);
  const { cache, upstream, template, nodens, stale } = now.sources;
  assert.deepEqual({ cache, upstream, template, nodens, stale }, {
    cache: 2,
    upstream: 2,
    template: 1,
    nodens: 1,
    stale: 0,
  });
  assert.equal(before.immediate, 0);
});

Deno.test("observer: the last whole minute is kept, and an hour of older ones", () => {
  const scene = new Scene({ startMs: 20 * MINUTE_MS });
  const counts = (span: "minute" | "hour") => scene.counts("names", span);
  scene.query("a.local.test", { runMs: MINUTE_MS });
  scene.query("b.local.test", { runMs: 1000 });
  assert.deepEqual(counts("minute"), { "b.local.test.": 1, "a.local.test.": 1 });
  assert.equal(scene.list("names").seconds, 61);
  scene.run(MINUTE_MS);
  assert.deepEqual(counts("minute"), { "b.local.test.": 1 });
  assert.deepEqual(counts("hour"), { "a.local.test.": 1, "b.local.test.": 1 });
  assert.equal(scene.tallies().before.immediate, 1);
  scene.run(30 * MINUTE_MS);
  scene.query("a.local.test");
  assert.deepEqual(counts("minute"), { "a.local.test.": 1 });
  assert.deepEqual(counts("hour"), { "a.local.test.": 2, "b.local.test.": 1 });
  assert.equal(Math.floor(scene.list("names", "hour").seconds / 60), 32);
  scene.run(30 * MINUTE_MS);
  assert.deepEqual(counts("hour"), { "a.local.test.": 1 });
  scene.run(24 * 60 * MINUTE_MS);
  assert.deepEqual([counts("hour"), counts("minute")], [{}, {}]);
  const { now, before } = scene.tallies();
  assert.equal(now.immediate - before.immediate, 0);
});

Deno.test("observer: a flood of names leaves the frequent ones in the lists of minute and hour", () => {
  const scene = new Scene();
  for (let i = 0; i < 200; i++) {
    for (let n = 0; n < 4; n++) scene.query(`x${i}-${n}.local.test`, { runMs: 0 });
    scene.query("www.local.test", { runMs: 2000 });
  }
  const atLeast = (span: "minute" | "hour") =>
    scene.list("names", span).counts.filter(({ text }) => text === "www.local.test.")
      .reduce((sum, { count, error }) => sum + count - error, 0);
  assert.ok(atLeast("minute") >= 30, `${atLeast("minute")}`);
  assert.ok(atLeast("hour") >= 190, `${atLeast("hour")}`);
});

Deno.test("observer: a question that cannot be read is counted for its client alone", () => {
  const scene = new Scene();
  const bytes = queryBytes({ name: "www.example.org" });
  scene.watch();
  scene.ask(bytes.subarray(0, 14));
  assert.deepEqual(scene.counts("clients"), { "192.0.2.99": 1 });
  assert.deepEqual(scene.counts("names"), {});
  assert.deepEqual(scene.counts("failures"), {});
  assert.deepEqual(scene.watch().lines.map(({ name, rcode }) => [name, rcode]), [[".", 1]]);
});

Deno.test("observer: a client that has gone is not counted under another's address", () => {
  const scene = new Scene();
  const stream = scene.openStream();
  const bytes = queryBytes({ name: "slow.example.org" });
  stream.send(Uint8Array.of(bytes.length >> 8, bytes.length & 0xff, ...bytes));
  scene.run(10);
  stream.reset();
  scene.query("www.local.test", { client: "192.0.2.1", runMs: 200 });
  assert.deepEqual(scene.counts("clients"), { "192.0.2.1": 1 });
  assert.equal(scene.list("slow").slow.find(({ name }) => name.startsWith("slow"))?.client, "");
});

Deno.test("observer: after a second without queries the next one is chosen", () => {
  const scene = new Scene();
  const resting = scene.engine.timers.size;
  // The rate becomes known, and most queries are left out.
  for (let i = 0; i < 20_000; i++) scene.ask(queryBytes({ name: "www.local.test" }));
  assert.ok(scene.tallies().sampledEvery > 1);
  scene.run(3000);
  assert.equal(scene.engine.timers.size, resting, "no timer is left");
  scene.query("a.local.test");
  assert.equal(scene.counts("names")["a.local.test."], 1);
});

Deno.test("observer: names are in presentation format", () => {
  const scene = new Scene();
  const bytes = queryBytes({ name: "xxxx.local.test" });
  bytes.set([0x1b, 0x5b, 0x2e, 0xff], 13);
  scene.ask(bytes);
  assert.deepEqual(scene.counts("names"), { "\\027[\\.\\255.local.test.": 1 });
});

Deno.test("observer: memory is taken with the first query, and less than 1 MiB in all", () => {
  const before = Memory.allocatedBytes;
  const idle = new Scene();
  idle.run(MINUTE_MS);
  const still = Memory.allocatedBytes;
  const scene = new Scene();
  const without = Memory.allocatedBytes - still;
  assert.ok(still - before <= without, "a data plane without queries has no tables");
  const start = Memory.allocatedBytes;
  for (let i = 0; i < 180; i++) scene.query(`n${i}.local.test`, { runMs: MINUTE_MS });
  const used = Memory.allocatedBytes - start;
  assert.ok(used > 500_000 && used < 2 ** 20, `${used}`);
});

Deno.test("observer: without it, requests are answered with null", () => {
  const simulation = new Simulation(COREFILE);
  simulation.ask(queryBytes({ name: "www.local.test" }));
  assert.equal(simulation.engine.observe({ type: "tallies" }), null);
  assert.equal(simulation.engine.observe({ type: "list", list: "names", span: "hour" }), null);
});
