import assert from "node:assert/strict";
import { CacheContent } from "../../../src/plugins/cache/content.ts";
import type { CacheOptions } from "../../../src/plugins/cache/options.ts";
import { VerbError } from "../../../src/plugins/verbs.ts";
import {
  answering,
  CacheWorld,
  dataOf,
  denying,
  failing,
  NAME,
  replying,
} from "../../support/simulation/cache_world.ts";
import { CacheVerbs, type Parameters } from "../../support/simulation/cache_verbs.ts";
import { askMany } from "../../support/simulation/forwarding.ts";
import { type Behaviour, onlyAnswer, Simulation } from "../../support/simulation/simulation.ts";

const NOTHING = { answers: 0, denials: 0, failures: 0, stale: 0 };

function start(options = "", behaviour = answering()): { world: CacheWorld; verbs: CacheVerbs } {
  const world = new CacheWorld(behaviour, options);
  return { world, verbs: new CacheVerbs(world.simulation) };
}

const answeringTypes: Behaviour = (query, ...rest) => {
  const { name, type } = query.questions![0]!;
  if (type !== "AAAA") return answering()(query, ...rest);
  return replying({ answers: [{ type, name, ttl: 300, data: "2001:db8::1" }] })(query, ...rest);
};

const QUERIES = [
  { name: NAME },
  { name: NAME, type: "AAAA" },
  { name: NAME, edns: 1232, dnssecOk: true },
  { name: NAME, flags: 0x0110 },
  { name: "a.www.example.org" },
  { name: "xwww.example.org" },
  { name: "example.org" },
  { name: "example.net" },
];

for (
  const { what, parameters, left } of [
    { what: "a name in every variant", parameters: { name: NAME }, left: [4, 5, 6, 7] },
    { what: "a name in any case", parameters: { name: "WWW.example.ORG." }, left: [4, 5, 6, 7] },
    {
      what: "one type of a name",
      parameters: { name: NAME, type: "aaaa" },
      left: [0, 2, 3, 4, 5, 6, 7],
    },
    { what: "a name without entries", parameters: { name: "org" }, left: [0, 1, 2, 3, 4, 5, 6, 7] },
    { what: "a zone, whose apex is a name", parameters: { zone: NAME }, left: [5, 6, 7] },
    { what: "a zone of several names", parameters: { zone: "example.org" }, left: [7] },
    {
      what: "one type of a zone",
      parameters: { zone: "org", type: "AAAA" },
      left: [0, 2, 3, 4, 5, 6, 7],
    },
    { what: "the root", parameters: { zone: "." }, left: [] },
    { what: "everything", parameters: { all: "true" }, left: [] },
    { what: "one type of everything", parameters: { all: "true", type: "A" }, left: [1] },
  ] as { what: string; parameters: Parameters; left: number[] }[]
) {
  Deno.test(`flush forgets ${what}, and nothing else`, async () => {
    const { world, verbs } = start("", answeringTypes);
    for (const query of QUERIES) world.ask(query);
    const { answers, ...rest } = await verbs.flush(parameters);
    assert.equal(answers, QUERIES.length - left.length);
    assert.deepEqual(rest, {
      denials: 0,
      failures: 0,
      stale: 0,
      planes: 1,
      blocks: ["."],
      files: [],
    });
    assert.equal(world.count("coredns_cache_entries"), left.length);
    QUERIES.forEach((query, i) => {
      const before = world.upstreamQueries;
      world.ask(query);
      assert.equal(world.upstreamQueries - before, left.includes(i) ? 0 : 1, query.name);
    });
  });
}

for (const parameters of [{ zone: "example.org" }, { all: "true" }] as Parameters[]) {
  Deno.test(`flush counts what it forgets by kind: ${Object.keys(parameters)[0]}`, async () => {
    const { world, verbs } = start("serve_stale 1h\nservfail 5m\nsuccess 9984 3600 1");
    world.behaviour = answering({ ttl: 10 });
    world.ask({ name: "stale.example.org" });
    world.run(11_000);
    world.behaviour = answering();
    world.ask({ name: "fresh.example.org" });
    world.behaviour = denying();
    world.ask({ name: "denied.example.org" });
    world.ask({ name: "denied2.example.org" });
    world.behaviour = failing;
    world.ask({ name: "failed.example.org" });
    const counts = await verbs.flush(parameters);
    assert.deepEqual({ ...counts, planes: 0, blocks: [], files: [] }, {
      ...{ answers: 1, denials: 2, failures: 1, stale: 1 },
      ...{ planes: 0, blocks: [], files: [] },
    });
    assert.equal(world.count("coredns_cache_entries"), 0);
    assert.equal(world.count("coredns_cache_evictions_total"), 0);
    const again = await verbs.flush(parameters);
    assert.deepEqual({ ...NOTHING, ...again }, { ...again, ...NOTHING });
  });
}

for (
  const { what, parameters, stored } of [
    { what: "its name", parameters: { name: NAME }, stored: false },
    { what: "its zone", parameters: { zone: "org" }, stored: false },
    { what: "everything", parameters: { all: "true" }, stored: false },
    { what: "its name and type", parameters: { name: NAME, type: "A" }, stored: false },
    { what: "another type", parameters: { name: NAME, type: "AAAA" }, stored: true },
    { what: "another zone", parameters: { zone: "net" }, stored: true },
  ] as { what: string; parameters: Parameters; stored: boolean }[]
) {
  Deno.test(`an answer in flight is ${stored ? "" : "not "}stored after a flush of ${what}`, async () => {
    const { world, verbs } = start("", answering({ data: "192.0.2.1", delayMs: 100 }));
    const first = world.send();
    await verbs.flush(parameters);
    const joined = world.send({ id: 2 });
    world.run(200);
    assert.equal(world.upstreamQueries, 1);
    for (const asked of [first, joined]) assert.equal(dataOf(onlyAnswer(asked)), "192.0.2.1");
    world.behaviour = answering({ data: "192.0.2.2" });
    assert.equal(dataOf(world.ask()), stored ? "192.0.2.1" : "192.0.2.2");
  });

  Deno.test(`a refresh in flight is ${stored ? "" : "not "}stored after a flush of ${what}`, async () => {
    const { world, verbs } = start("serve_stale 1h", answering({ data: "192.0.2.1", ttl: 10 }));
    world.ask();
    world.run(11_000);
    world.behaviour = answering({ data: "192.0.2.2", delayMs: 100 });
    assert.equal(dataOf(world.ask({}, { waitMs: 0 })), "192.0.2.1");
    await verbs.flush(parameters);
    world.run(200);
    world.behaviour = answering({ data: "192.0.2.3" });
    assert.equal(dataOf(world.ask()), stored ? "192.0.2.2" : "192.0.2.3");
  });
}

Deno.test("an answer that was in flight during many flushes is not stored", async () => {
  const { world, verbs } = start("", answering({ delayMs: 100 }));
  world.send();
  for (let i = 0; i < 20; i++) await verbs.flush({ name: `n${i}.example.net` });
  world.run(200);
  world.ask({}, { waitMs: 200 });
  assert.equal(world.upstreamQueries, 2);
});

Deno.test("a failure in flight is not stored after a flush", async () => {
  const { world, verbs } = start("", replying({ rcode: 2 }, 100));
  world.send();
  await verbs.flush({ name: NAME });
  world.run(200);
  world.behaviour = answering();
  assert.equal(dataOf(world.ask()), "192.0.2.7");
});

Deno.test("clients that wait for a refresh get its answer after a flush", async () => {
  const { world, verbs } = start(
    "serve_stale 1h verify 1s",
    answering({ data: "192.0.2.1", ttl: 10 }),
  );
  world.ask();
  world.run(11_000);
  world.behaviour = answering({ data: "192.0.2.2", delayMs: 100 });
  const asked = world.send();
  await verbs.flush({ all: "true" });
  world.run(200);
  assert.equal(dataOf(onlyAnswer(asked)), "192.0.2.2");
});

Deno.test("a large cache is flushed in slices, between which queries are answered", async () => {
  const { world, verbs } = start("success 20000");
  for (const prefix of "abcdefgh") {
    askMany(world.simulation, 1500, { prefix });
    world.run(1000);
  }
  assert.equal(world.count("coredns_cache_entries"), 12_000);
  let answered = 0;
  verbs.before = ({ type }) => {
    if (type === "flush" && dataOf(world.ask({ name: "example.net" })) !== "") answered++;
  };
  const { answers } = await verbs.flush({ zone: "example.org" });
  assert.equal(answers, 12_000);
  assert.ok(answered >= 12, `${answered} slices`);
  assert.equal(world.count("coredns_cache_entries"), 1);
});

Deno.test("the server block to flush is chosen by a zone that it serves", async () => {
  const block = (zone: string) => `${zone} {\n cache\n forward . 10.0.0.1\n}\n`;
  const simulation = new Simulation(block(".") + block("example.net example.org"));
  simulation.upstream("10.0.0.1:53", answering());
  const verbs = new CacheVerbs(simulation);
  for (const prefix of ["a", "b"]) askMany(simulation, 3, { prefix });
  simulation.run(100);
  const flush = async (block: string) => await verbs.flush({ all: "true", block });
  await assert.rejects(() => flush("example.com"), {
    status: 404,
    message: "no server block with a cache serves example.com. " +
      "(those with one: .; example.net. example.org.)",
  });
  assert.equal((await flush(".")).answers, 0);
  assert.deepEqual((await flush("Example.NET")).blocks, ["example.net. example.org."]);
  assert.equal(simulation.count("coredns_cache_entries"), 0);
});

for (
  const [parameters, message] of [
    [{}, "flush needs one of name, zone and all"],
    [{ name: NAME, all: "true" }, "flush needs one of name, zone and all"],
    [{ all: "yes" }, 'all is "yes"; write true'],
    [{ name: "a..b" }, 'name: Cannot parse name "a..b": it has an empty label'],
    [{ zone: "a".repeat(64) }, /^zone: Cannot parse name ".*": a label is longer than 63 octets$/],
    [{ name: NAME, type: "B" }, 'type "B" is unknown (A, AAAA, TYPE65280)'],
  ] as [Parameters, string | RegExp][]
) {
  Deno.test(`flush refuses ${JSON.stringify(parameters).slice(0, 40)}`, async () => {
    const { verbs } = start();
    await assert.rejects(() => verbs.flush(parameters), { status: 400, message });
  });
}

Deno.test("a Corefile without a cache refuses to flush", async () => {
  const verbs = new CacheVerbs(new Simulation(". {\n whoami\n}\n"));
  await assert.rejects(() => verbs.flush({ all: "true" }), { status: 409 });
});

Deno.test("a flush that a reload overtakes is refused", async () => {
  const { world, verbs } = start();
  verbs.before = () => world.simulation.reload(". {\n forward . 10.0.0.1\n whoami\n}\n");
  await assert.rejects(
    () => verbs.flush({ name: NAME }),
    (error: VerbError) => error.status === 503,
  );
});

Deno.test("a reload that moves a server block elsewhere turns no flush or dump to another one", async () => {
  const block = (zone: string) => `${zone} {\n cache\n forward . 10.0.0.1\n}\n`;
  const simulation = new Simulation(block("example.net") + block("example.org"));
  simulation.upstream("10.0.0.1:53", answering());
  askMany(simulation, 3, { prefix: "a" });
  simulation.run(100);
  for (const verb of ["flush", "dump"] as const) {
    const verbs = new CacheVerbs(simulation);
    verbs.before = () => simulation.reload(block("example.org") + block("example.net"));
    const ask = verb === "flush"
      ? () => verbs.flush({ all: "true", block: "example.net" })
      : () => verbs.dump({ block: "example.net" });
    await assert.rejects(ask, { status: 503, message: /the configuration has just changed/ });
    assert.equal(simulation.count("coredns_cache_entries"), 3);
    simulation.reload(block("example.net") + block("example.org"));
  }
});

Deno.test("a flush of an unused cache makes no new tables, and concerns what is in flight", async () => {
  const { options } = new Simulation(". {\n cache\n}\n").config.blocks[0]!.plugins[0]!;
  const content = new CacheContent(options as CacheOptions, false, 0);
  const { success } = content;
  content.drop();
  assert.equal(content.success, success);
  const { world, verbs } = start();
  const asked = world.send();
  await verbs.flush({ all: "true" });
  world.run(50);
  assert.equal(dataOf(onlyAnswer(asked)), "192.0.2.7");
  assert.equal(world.count("coredns_cache_entries"), 0);
});
