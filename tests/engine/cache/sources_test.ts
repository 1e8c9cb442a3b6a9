import assert from "node:assert/strict";
import type { Exchange } from "../../../src/engine/exchange/exchange.ts";
import type { CreateHandler } from "../../../src/engine/handler.ts";
import { HANDLERS } from "../../support/engine/all_plugins.ts";
import { queryBytes } from "../../support/messages/messages.ts";
import { CacheVerbs } from "../../support/simulation/cache_verbs.ts";
import {
  answering,
  CacheWorld,
  dataOf,
  NAME,
  silent,
} from "../../support/simulation/cache_world.ts";
import { askMany, deliver } from "../../support/simulation/forwarding.ts";
import { onlyAnswer, Simulation } from "../../support/simulation/simulation.ts";

const DROPPED =
  "info: plugin/cache: all servers of forward . have changed: its answers are forgotten";

for (
  const { what, lists, options = "", kept } of [
    { what: "a server is added", lists: [["10.0.0.1", "10.0.0.2"]], kept: true },
    {
      what: "one of two servers is replaced",
      lists: [["10.0.0.1", "10.0.0.2"], ["10.0.0.2", "10.0.0.3"]],
      kept: true,
    },
    { what: "no server is left for a while", lists: [[], ["10.0.0.1"]], kept: true },
    { what: "all servers are replaced", lists: [["10.0.0.2"]], kept: false },
    {
      what: "all servers are replaced after none was left",
      lists: [[], ["10.0.0.2"]],
      kept: false,
    },
    {
      what: "all servers are replaced in two steps",
      lists: [["10.0.0.1", "10.0.0.2"], ["10.0.0.2"], ["10.0.0.3"]],
      kept: false,
    },
    {
      what: "all servers are replaced with keep_on_change",
      lists: [["10.0.0.2"]],
      options: "keep_on_change",
      kept: true,
    },
  ] as { what: string; lists: string[][]; options?: string; kept: boolean }[]
) {
  Deno.test(`the cache ${kept ? "keeps its entries" : "starts empty"} if ${what}`, () => {
    const world = new CacheWorld(answering(), options);
    world.ask();
    for (const list of lists) deliver(world.simulation, list);
    assert.equal(world.count("coredns_cache_entries"), kept ? 1 : 0);
    assert.equal(world.count("coredns_cache_evictions_total"), 0);
    assert.deepEqual(world.simulation.logs, kept ? [] : [DROPPED]);
  });
}

const twoZones = (options = "", server = "10.0.0.2") =>
  `. {\n cache {\n ${options}\n }\n forward example.org ${server}\n forward . 10.0.0.1\n}\n`;

Deno.test("the first servers of a name do not empty the cache", () => {
  const simulation = new Simulation(". {\n cache\n forward . dns.example.net\n}\n");
  for (const address of ["10.0.0.1", "10.0.0.2"]) {
    simulation.upstream(`${address}:53`, answering());
  }
  const entries = () => {
    simulation.ask(queryBytes({ name: NAME }));
    simulation.run(50);
    return simulation.count("coredns_cache_entries");
  };
  // "Not ready" is not cached.
  assert.equal(entries(), 0);
  deliver(simulation, ["10.0.0.1"]);
  assert.equal(entries(), 1);
  assert.deepEqual(simulation.logs, []);
  deliver(simulation, ["10.0.0.2"]);
  assert.equal(simulation.count("coredns_cache_entries"), 0);
});

Deno.test("an answer of a server that is gone is not stored", () => {
  const world = new CacheWorld(answering({ data: "192.0.2.1", delayMs: 100 }));
  world.simulation.upstream("10.0.0.2:53", answering({ data: "192.0.2.2" }));
  const asked = world.send();
  deliver(world.simulation, ["10.0.0.2"]);
  world.run(200);
  assert.equal(dataOf(onlyAnswer(asked)), "192.0.2.1");
  assert.equal(dataOf(world.ask()), "192.0.2.2");
});

for (
  const { what, then } of [
    { what: "behind queries", then: () => {} },
    {
      what: "although a reload follows at once",
      then: (simulation: Simulation) => simulation.reload(twoZones("prefetch 5", "10.0.0.3")),
    },
  ]
) {
  Deno.test(`the names of a zone with other servers are forgotten ${what}`, () => {
    const simulation = new Simulation(twoZones());
    for (const address of ["10.0.0.1", "10.0.0.2", "10.0.0.3"]) {
      simulation.upstream(`${address}:53`, answering({ data: address }));
    }
    const ask = (name: string) => {
      const asked = simulation.ask(queryBytes({ name }));
      simulation.run(50);
      return dataOf(onlyAnswer(asked));
    };
    askMany(simulation, 1500, { prefix: "corp" });
    simulation.run(1000);
    assert.equal(ask("www.example.org"), "10.0.0.2");
    assert.equal(ask("www.example.net"), "10.0.0.1");
    assert.equal(simulation.count("coredns_cache_entries"), 1502);
    deliver(simulation, ["10.0.0.3"], { position: 1 });
    then(simulation);
    simulation.run(100);
    ask("example.com");
    assert.ok(simulation.count("coredns_cache_entries") <= 2);
    assert.equal(ask("www.example.org"), "10.0.0.3");
    assert.equal(ask("corp7.example.org"), "10.0.0.3");
    assert.equal(ask("www.example.net"), "10.0.0.1");
  });
}

/** Simulates with a handler in the place of another plugin's. */
function withHandler(name: string, corefile: string, handler: object): Simulation {
  const create: CreateHandler = () => ({ name, ...handler });
  const simulation = new Simulation(corefile, { handlers: new Map([...HANDLERS, [name, create]]) });
  simulation.upstream("10.0.0.1:53", answering({ ttl: 10 }));
  return simulation;
}

Deno.test("an entry keeps the upstream that answered it", async () => {
  const simulation = withHandler("minimal", ". {\n cache\n minimal\n forward . 10.0.0.1\n}\n", {
    response(exchange: Exchange) {
      exchange.upstream = "10.0.0.1:53";
    },
  });
  simulation.ask(queryBytes({ name: NAME }));
  simulation.run(50);
  const asked = simulation.ask(queryBytes({ name: NAME, id: 0x1234 }));
  assert.equal(onlyAnswer(asked).id, 0x1234);
  const [entry] = await new CacheVerbs(simulation).lookup({ name: NAME });
  assert.equal(entry!.upstream, "10.0.0.1:53");
});

Deno.test("an exchange tells whether its answer is stale", () => {
  const stale: boolean[] = [];
  const corefile = ". {\n log\n cache {\n serve_stale\n }\n forward . 10.0.0.1\n}\n";
  const simulation = withHandler("log", corefile, {
    sent: (exchange: Exchange) => stale.push(exchange.stale),
  });
  const ask = () => {
    simulation.ask(queryBytes({ name: NAME }));
    simulation.run(50);
  };
  ask();
  ask();
  simulation.upstream("10.0.0.1:53", silent);
  simulation.run(11_000);
  ask();
  assert.deepEqual(stale, [false, false, true]);
});

Deno.test("stale answers are counted by the time since they expired", () => {
  const world = new CacheWorld(answering({ ttl: 10 }), "serve_stale 1h immediate 30s 20s");
  world.ask();
  world.behaviour = silent;
  for (const waitMs of [10_500, 30_000, 120_000]) {
    world.run(waitMs);
    world.ask();
  }
  const { places, values } = world.simulation.counters;
  const { index, bounds } = places.find(({ name }) => name === "nodens_cache_stale_age_seconds")!;
  const counts = Array.from(values.subarray(index, index + bounds!.length + 1));
  assert.deepEqual(counts, [1, 0, 1, 1, 0, 0, 0, 0, 0, 0]);
  assert.equal(values[index + bounds!.length + 1], 0 + 30 + 150);
});

for (
  const { what, queries, end, saved } of [
    { what: "asked for again, then replaced", queries: 1, end: "replaced", saved: 1 },
    { what: "asked for again, then expired", queries: 1, end: "expired", saved: 1 },
    { what: "asked for often", queries: 5, end: "expired", saved: 1 },
    { what: "not asked for again", queries: 0, end: "expired", saved: 0 },
  ]
) {
  Deno.test(`a prefetched entry that is ${what} saves ${saved} misses`, () => {
    const world = new CacheWorld(answering({ ttl: 20 }), "prefetch 1 1m 50%\nsuccess 9984 3600 5");
    world.ask();
    world.run(12_000);
    world.ask();
    assert.equal(world.count("coredns_cache_prefetch_total"), 1);
    world.run(3000);
    for (let i = 0; i < queries; i++) world.ask();
    if (end === "replaced") {
      world.run(10_000);
      world.ask();
    } else {
      world.run(30_000);
      // A sweep visits four rows with each insertion.
      for (let i = 0; i < 4; i++) world.ask({ name: `n${i}.example.org` });
    }
    assert.equal(world.count("nodens_cache_refresh_saved_total"), saved);
  });
}
