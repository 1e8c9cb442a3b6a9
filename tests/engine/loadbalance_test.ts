import assert from "node:assert/strict";
import type * as codec from "dns-packet";
import { readWeights } from "../../src/plugins/loadbalance/weights.ts";
import { loadConfig } from "../../src/loading/load.ts";
import { fakeHost } from "../support/doubles/fake_host.ts";
import { a, cname, queryBytes, responseBytes } from "../support/messages/messages.ts";
import { onlyAnswer, Simulation } from "../support/simulation/simulation.ts";

const ADDRESSES = ["192.0.2.1", "192.0.2.2", "198.51.100.3", "203.0.113.4"];

function answersOf(name: string, type: string): codec.Answer[] {
  const [kind] = name.split(".");
  if (kind === "alias") {
    return [cname(name, "www.test"), ...ADDRESSES.map((data) => a("www.test", data))];
  }
  if (type === "AAAA") {
    return ["2001:db8::1", "2001:db8::2", "2001:db8:1::3"].map((data) => ({
      type: "AAAA" as const,
      name,
      ttl: 300,
      class: "IN" as const,
      data,
    }));
  }
  if (type === "TXT") {
    return ["one", "two", "three"].map((data) => ({
      type: "TXT" as const,
      name,
      ttl: 300,
      class: "IN" as const,
      data,
    }));
  }
  return ADDRESSES.map((data, i) => a(name, data, 300 + i));
}

function start(directive: string, cache = "cache", seed = 1): Simulation {
  const corefile = `. {\n ${directive}\n ${cache}\n forward . 10.0.0.1\n}`;
  const simulation = new Simulation(corefile, { seed });
  simulation.upstream("10.0.0.1:53", (query) => {
    const { name, type } = query.questions![0]!;
    return [{ bytes: responseBytes(query, { answers: answersOf(name, type) }), delayMs: 2 }];
  });
  return simulation;
}

function ask(simulation: Simulation, times: number, name = "www.test", type = "A"): string[][] {
  return Array.from({ length: times }, () => {
    const asked = simulation.ask(queryBytes({ name, type }));
    simulation.run(20);
    return onlyAnswer(asked).answers!.map((record) => String((record as { data: unknown }).data));
  });
}

/** Frequency of each text in the first position. */
function firsts(orders: readonly string[][]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const [first] of orders) counts[first!] = (counts[first!] ?? 0) + 1;
  return counts;
}

for (const cache of ["", "cache"]) {
  Deno.test(`loadbalance: all orders of addresses are about equally frequent ${cache}`, () => {
    const orders = ask(start("loadbalance", cache), 2400);
    const counts = new Map<string, number>();
    for (const order of orders) {
      assert.deepEqual(order.toSorted(), ADDRESSES);
      counts.set(order.join(), (counts.get(order.join()) ?? 0) + 1);
    }
    assert.equal(counts.size, 24);
    // 100 each; seeded, so this never changes.
    for (const [order, count] of counts) assert.ok(count > 60 && count < 140, `${order}: ${count}`);
  });
}

Deno.test("loadbalance: a record keeps its own TTL when it moves", () => {
  const simulation = start("loadbalance", "");
  for (let i = 0; i < 20; i++) {
    const asked = simulation.ask(queryBytes({ name: "www.test" }));
    simulation.run(20);
    for (const record of onlyAnswer(asked).answers as { data: string; ttl: number }[]) {
      assert.equal(record.ttl, 300 + ADDRESSES.indexOf(record.data));
    }
  }
});

Deno.test("loadbalance: an alias stays in front of the addresses", () => {
  const orders = ask(start("loadbalance"), 50, "alias.test");
  for (const [first, ...rest] of orders) {
    assert.equal(first, "www.test");
    assert.deepEqual(rest.toSorted(), ADDRESSES);
  }
  assert.ok(new Set(orders.map((order) => order.join())).size > 10);
});

Deno.test("loadbalance: other types keep their order", () => {
  for (const order of ask(start("loadbalance"), 20, "www.test", "TXT")) {
    assert.deepEqual(order, ["one", "two", "three"]);
  }
});

Deno.test("without loadbalance the stored order is kept", () => {
  for (const order of ask(start(""), 20)) assert.deepEqual(order, ADDRESSES);
});

Deno.test("loadbalance: addresses of preferred networks come first, in the configured order", () => {
  const simulation = start(
    "loadbalance {\n prefer 203.0.113.0/24 198.51.100.0/24 2001:db8:1::/48\n }",
  );
  for (const order of ask(simulation, 50)) {
    assert.deepEqual(order.slice(0, 2), ["203.0.113.4", "198.51.100.3"]);
    assert.deepEqual(order.slice(2).toSorted(), ["192.0.2.1", "192.0.2.2"]);
  }
  for (const order of ask(simulation, 20, "www.test", "AAAA")) {
    assert.equal(order[0], "2001:db8:1::3");
  }
});

Deno.test("loadbalance: a network may end within an octet", () => {
  const simulation = start("loadbalance {\n prefer 192.0.2.2/31\n }");
  for (const order of ask(simulation, 20)) assert.equal(order[0], "192.0.2.2");
});

function weighted(text: string): Simulation {
  const simulation = start("loadbalance");
  const host = fakeHost({ "/etc/nodens/weights": text });
  const corefile = ". {\n loadbalance weighted /etc/nodens/weights\n cache\n forward . 10.0.0.1\n}";
  const { config } = loadConfig({ file: "Corefile", text: corefile, defaultPort: 53 }, host);
  simulation.engine.configure(config);
  return simulation;
}

const WEIGHTS = "# one name\n\nWWW.test\n192.0.2.1 6\n198.51.100.3 2\n";

for (const name of ["www.test", "alias.test"]) {
  Deno.test(`loadbalance: the first address of ${name} is chosen by weight, others weigh 1`, () => {
    const orders = ask(weighted(WEIGHTS), 1000, name)
      .map((order) => order.filter((data) => data !== "www.test"));
    const counts = firsts(orders);
    assert.ok(Math.abs(counts["192.0.2.1"]! - 600) < 50, JSON.stringify(counts));
    assert.ok(Math.abs(counts["192.0.2.2"]! - 100) < 30, JSON.stringify(counts));
    assert.ok(Math.abs(counts["198.51.100.3"]! - 200) < 40, JSON.stringify(counts));
    assert.ok(Math.abs(counts["203.0.113.4"]! - 100) < 30, JSON.stringify(counts));
  });
}

Deno.test("loadbalance: weights of a name do not apply to names below it", () => {
  const counts = firsts(ask(weighted("test\n192.0.2.1 255\n"), 400));
  for (const address of ADDRESSES) assert.ok(counts[address]! > 60, JSON.stringify(counts));
});

Deno.test("loadbalance: weights that arrive later apply from then on", () => {
  const simulation = weighted(WEIGHTS);
  simulation.engine.blocks.deliver(0, 0, readWeights("www.test\n203.0.113.4 255\n"));
  const counts = firsts(ask(simulation, 200));
  assert.ok(counts["203.0.113.4"]! > 180, JSON.stringify(counts));
});

for (
  const [title, text, error] of [
    ["an address without a weight", "a.test\n192.0.2.1\n", /line 2: 192\.0\.2\.1 has no weight/],
    ["a weight of zero", "a.test\n192.0.2.1 0\n", /line 2: "0" is not a weight \(1 to 255\)/],
    ["a weight above 255", "a.test\n192.0.2.1 256\n", /line 2: "256" is not a weight/],
    ["a weight before the first name", "192.0.2.1 2\n", /line 1: an address precedes/],
    ["something else than an address", "a.test\nb.test 3\n", /line 2: "b\.test" is not an address/],
    ["a third word", "a.test\n192.0.2.1 3 4\n", /line 2: more than an address and a weight/],
    ["a text that is not a name", "a..test\n", /line 1: "a\.\.test" is not a name/],
  ] as const
) {
  Deno.test(`loadbalance: a weight file with ${title} is refused`, () => {
    assert.throws(() => readWeights(text), error);
  });
}
