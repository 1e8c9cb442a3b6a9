import assert from "node:assert/strict";
import { answering, ask as askOnce } from "../support/engine/scenario.ts";
import { queryBytes } from "../support/messages/messages.ts";
import { frame, onlyAnswer, Simulation } from "../support/simulation/simulation.ts";

const corefile = (options = "", more = "") =>
  `. {\n cache {\n ${options}\n }\n forward . 10.0.0.1\n ${more}\n}\n`;

function start(text = corefile()): Simulation {
  const simulation = new Simulation(text);
  simulation.upstream("10.0.0.1:53", answering("192.0.2.1"));
  simulation.upstream("10.0.0.2:53", answering("192.0.2.2"));
  return simulation;
}

const ask = (simulation: Simulation, name = "www.example.org", listener = 0) =>
  askOnce(simulation, { name }, { runMs: 50, listener });

const dataOf = (answer: { answers?: unknown[] | undefined }) =>
  (answer.answers![0] as { data: string }).data;

const KEPT: [what: string, to: string, from?: string][] = [
  ["nothing", corefile()],
  ["only comments and lines", `\n\n# new\n${corefile()}`],
  ["another plugin", corefile("", "errors")],
  ["upstreams", corefile().replace("10.0.0.1", "10.0.0.2")],
  ["prefetch", corefile("prefetch 3 1m 20%")],
  ["the limit in bytes", corefile("capacity_bytes 16Mi"), corefile("capacity_bytes 8Mi")],
  ["another block", `${corefile()}example.net {\n whoami\n}\n`],
  ["another block before it", `example.net {\n whoami\n}\n${corefile()}`],
];

for (const [what, to, from = corefile()] of KEPT) {
  Deno.test(`a reload that changes ${what} keeps the cache`, () => {
    const simulation = start(from);
    ask(simulation);
    assert.equal(simulation.count("coredns_cache_entries"), 1);
    simulation.reload(to);
    assert.equal(simulation.count("coredns_cache_entries"), 1);
    assert.equal(dataOf(ask(simulation)), "192.0.2.1");
    assert.equal(simulation.seen.length, 1);
    assert.equal(simulation.count("coredns_cache_hits_total"), 1);
  });
}

const DROPPED = [
  ["the capacity", corefile("success 2000")],
  ["the longest TTL", corefile("success 9984 60")],
  ["stale serving", corefile("serve_stale 1h")],
  ["the zones of the block", corefile().replace(". {", ". example.net {")],
];

for (const [what, to] of DROPPED as [string, string][]) {
  Deno.test(`a reload that changes ${what} starts with an empty cache`, () => {
    const simulation = start();
    ask(simulation);
    simulation.reload(to);
    assert.equal(simulation.count("coredns_cache_entries"), 0);
    ask(simulation);
    assert.equal(simulation.seen.length, 2);
    assert.equal(simulation.count("coredns_cache_entries"), 1);
  });
}

Deno.test("a query in flight is answered by its upstream, and the answer is cached", () => {
  const simulation = start();
  simulation.upstream("10.0.0.1:53", answering("192.0.2.1", { delayMs: 400 }));
  const asked = simulation.ask(queryBytes({ name: "slow.example.org" }));
  simulation.run(100);
  simulation.reload(corefile("", "errors").replace("10.0.0.1", "10.0.0.2"));
  simulation.run(1000);
  assert.equal(dataOf(onlyAnswer(asked)), "192.0.2.1");
  assert.equal(dataOf(ask(simulation, "slow.example.org")), "192.0.2.1");
  assert.equal(dataOf(ask(simulation, "new.example.org")), "192.0.2.2");
  assert.equal(simulation.openUpstream, 0);
});

Deno.test("an unchanged block keeps its connections and lookups in flight", () => {
  const text = corefile().replace("10.0.0.1", "10.0.0.1 {\n force_tcp\n}");
  const simulation = start(text);
  ask(simulation, "one.example.org");
  const slow = simulation.ask(queryBytes({ name: "two.example.org" }));
  simulation.reload(`${text}example.net {\n whoami\n}\n`);
  const joined = simulation.ask(queryBytes({ name: "two.example.org", id: 9 }));
  simulation.run(100);
  onlyAnswer(slow);
  onlyAnswer(joined);
  assert.equal(simulation.connects, 1);
  assert.equal(simulation.seen.filter((line) => line.includes("two")).length, 1);
});

Deno.test("streams of a remaining listener continue; those of a removed one are answered, then closed", () => {
  const block = (port: number) => `.:${port} {\n forward . 10.0.0.1 {\n max_fails ${port}\n }\n}\n`;
  const simulation = start(block(53) + block(54));
  simulation.upstream("10.0.0.1:53", answering("192.0.2.1", { delayMs: 200 }));
  const [stays, goes, idle] = [0, 1, 1].map((listener) => simulation.openStream(listener));
  for (const stream of [stays!, goes!]) {
    stream.send(frame(queryBytes({ name: "www.example.org" })));
  }
  simulation.run(50);
  simulation.reload(block(55) + block(53));
  assert.equal(idle!.finished(), true);
  assert.equal(goes!.finished(), false);
  simulation.run(1000);
  assert.equal(goes!.received.length, 1);
  assert.equal(goes!.finished(), true);
  goes!.send(frame(queryBytes({ name: "late.example.org" })));
  assert.equal(goes!.closed(), false);
  goes!.end();
  assert.equal(goes!.closed(), true);
  assert.equal(goes!.received.length, 1);
  // Clients that do not close their side do not delay this.
  simulation.run(2000);
  assert.equal(idle!.closed(), true);
  assert.equal(stays!.received.length, 1);
  stays!.send(frame(queryBytes({ name: "again.example.org", id: 2 })));
  simulation.run(1000);
  assert.equal(stays!.received.length, 2);
  simulation.upstream("10.0.0.1:53", answering("192.0.2.1"));
  assert.equal(dataOf(ask(simulation, "new.example.org", 1)), "192.0.2.1");
});

Deno.test("a thousand reloads leave no timer, socket or exchange behind", () => {
  const simulation = start();
  for (let i = 0; i < 1000; i++) {
    simulation.ask(queryBytes({ name: `n${i}.example.org` }));
    simulation.reload(corefile("", i % 2 === 0 ? "errors" : "any"));
    if (i % 10 === 0) simulation.run(20);
  }
  simulation.run(60_000);
  assert.equal(simulation.openUpstream, 0);
  assert.equal(simulation.keptCount, 0);
  assert.equal(simulation.engine.waiting, 0);
  assert.equal(simulation.count("coredns_cache_entries"), 1000);
});

Deno.test("metrics of a removed upstream disappear, those of a remaining one stay", () => {
  const both = ". {\n cache\n forward . 10.0.0.1 10.0.0.2 {\n policy round_robin\n }\n}\n";
  const simulation = start(both);
  for (const name of ["a.example.org", "b.example.org", "c.example.org"]) ask(simulation, name);
  const up = (to: string) => {
    const place = simulation.counters.places.find(({ name, labels }) =>
      name === "nodens_upstream_up" && labels.to === to
    );
    return simulation.counters.values[place!.index];
  };
  assert.deepEqual([up("10.0.0.1:53"), up("10.0.0.2:53")], [1, 1]);
  simulation.reload(both.replace("10.0.0.1 ", ""));
  ask(simulation, "d.example.org");
  assert.deepEqual([up("10.0.0.1:53"), up("10.0.0.2:53")], [NaN, 1]);
});

const twins = (first: string, second: string) =>
  [[53, "10.0.0.1", first], [54, "10.0.0.2", second]].map(([port, upstream, more]) =>
    `.:${port} {\n cache\n forward . ${upstream}\n ${more}\n}\n`
  ).join("");

for (
  const [what, to] of Object.entries({
    "one of them changes": twins("", "errors"),
    "both change": twins("errors", "errors"),
    "their order changes too": twins("errors", "errors").split(/^(?=\.:)/m).reverse().join(""),
  })
) {
  Deno.test(`blocks for the same zone on two ports keep their own caches: ${what}`, () => {
    const simulation = start(twins("", ""));
    assert.deepEqual([0, 1].map((on) => dataOf(ask(simulation, "a.example.org", on))), [
      "192.0.2.1",
      "192.0.2.2",
    ]);
    simulation.reload(to);
    for (const name of ["a.example.org", "b.example.org"]) {
      const answers = [0, 1].map((on) => dataOf(ask(simulation, name, on)));
      assert.deepEqual(answers, ["192.0.2.1", "192.0.2.2"], name);
    }
    assert.equal(simulation.seen.length, 4);
  });
}

Deno.test("a block with several possible predecessors starts with an empty cache", () => {
  const simulation = start(twins("", ""));
  ask(simulation, "a.example.org", 0);
  ask(simulation, "a.example.org", 1);
  simulation.reload(twins("", "").replace(".:53", ".:55").replace(".:54", ".:56"));
  assert.equal(simulation.count("coredns_cache_entries"), 0);
  assert.equal(dataOf(ask(simulation, "a.example.org", 1)), "192.0.2.2");
});

Deno.test("the only block of a zone keeps its cache when it moves to another port", () => {
  const simulation = start();
  ask(simulation);
  simulation.reload(corefile().replace(". {", ".:54 {"));
  ask(simulation);
  assert.equal(simulation.seen.length, 1);
});

Deno.test("a block with an added listener keeps its cache, beside others of its zone", () => {
  const main = (addresses: string) => corefile("", `bind ${addresses}`);
  const other = ".:54 {\n cache\n forward . 10.0.0.2\n}\n";
  const simulation = start(main("127.0.0.1"));
  ask(simulation);
  for (const addresses of ["127.0.0.1 127.0.0.2", "127.0.0.1", "127.0.0.1 127.0.0.3"]) {
    simulation.reload(main(addresses) + other);
    assert.equal(dataOf(ask(simulation)), "192.0.2.1");
  }
  assert.equal(simulation.seen.length, 1);
});

Deno.test("when a block is split in two, only one keeps the cache", () => {
  const both = corefile("", "bind 127.0.0.1 127.0.0.2");
  const simulation = start(both);
  ask(simulation, "a.example.org");
  const [first, second] = ["127.0.0.1", "127.0.0.2"].map((address, i) =>
    corefile("", `bind ${address}`).replace("10.0.0.1", `10.0.0.${i + 1}`)
  );
  simulation.reload(first! + second!);
  assert.equal(simulation.count("coredns_cache_entries"), 1);
  for (const name of ["a.example.org", "b.example.org"]) {
    assert.equal(dataOf(ask(simulation, name, 0)), "192.0.2.1");
    assert.equal(dataOf(ask(simulation, name, 1)), "192.0.2.2");
  }
});
