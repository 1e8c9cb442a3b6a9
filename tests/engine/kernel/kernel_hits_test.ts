import assert from "node:assert/strict";
import { a } from "../../support/messages/messages.ts";
import { decode } from "../../support/messages/messages.ts";
import { bytesOf, corefile, KernelWorld } from "../../support/kernel/kernel_world.ts";
import { seeded } from "../../support/run/random.ts";
import { replying } from "../../support/simulation/cache_world.ts";
import type { Behaviour } from "../../support/simulation/simulation.ts";

const NAMES = [
  ...["www", "many", "alias", "text", "large", "nodata", "missing", "short", "failing"],
  ...["a", "b.c", "a-rather-long-label-of-the-name-that-fills-its-octets"],
].map((label) => `${label}.example.org`);

Deno.test("kernel hits: an entry is published at its second hit", () => {
  const world = new KernelWorld(corefile());
  const answers = Array.from({ length: 3 }, () => {
    const before = world.kernel({});
    world.ask({});
    return before;
  });
  assert.deepEqual(answers, [null, null, null]);
  assert.deepEqual(world.kernel({}), world.ask({}));
  assert.equal(world.count("nodens_kernel_entries"), 1);
});

Deno.test("kernel hits: IPv6 and other listeners have slots of their own", () => {
  const world = new KernelWorld(corefile());
  world.publish({});
  assert.notEqual(world.kernel({}), null);
  assert.equal(world.kernel({}, "2001:db8::53"), null);
  world.publish({}, 1);
  assert.notEqual(world.kernel({}, "2001:db8::53"), null);
  assert.equal(world.kernel({}, "192.0.2.54"), null);
});

Deno.test("kernel hits: fuzzed queries have userland's answer, octet for octet", () => {
  const world = new KernelWorld(corefile({ cache: "prefetch 2" }));
  const random = seeded(7);
  const pick = <T>(list: readonly T[]) => list[random() % list.length]!;
  let answered = 0;
  for (let i = 0; i < 20_000; i++) {
    const bytes = fuzzed(random, pick(NAMES));
    const kernel = world.kernel(bytes);
    if (kernel === null) {
      const asked = world.simulation.ask(bytes);
      world.simulation.run(random() % 3);
      if (i % 3 === 0 && asked.answers.length === 0) world.simulation.run(5);
      continue;
    }
    answered++;
    assert.deepEqual(kernel, world.ask(bytes), `query ${bytes.toHex()}`);
    if (random() % 100 === 0) world.simulation.run(random() % 4000);
    if (random() % 2000 === 0) world.simulation.reload(corefile({ cache: "prefetch 2" }));
  }
  assert.ok(answered > 3000, `${answered} answered in the kernel`);
});

function fuzzed(random: () => number, name: string): Uint8Array {
  const chance = (percent: number) => random() % 100 < percent;
  const letters = [...name].map((c) => chance(20) ? c.toUpperCase() : c).join("");
  const bytes = bytesOf({
    name: letters,
    type: chance(80) ? "A" : chance(50) ? "TXT" : "AAAA",
    id: random() & 0xffff,
    flags: 0x0100 ^ (chance(30) ? 1 << (random() % 16) : 0),
    ...chance(50) && { edns: [512, 1232, 4096, 0, 600][random() % 5]!, dnssecOk: chance(30) },
  });
  if (chance(5)) bytes[random() % bytes.length] = random();
  return chance(3) ? bytes.slice(0, 12 + random() % (bytes.length - 12)) : bytes;
}

/** Removes what must not be answered any more. */
const TAKEN_BACK: Readonly<Record<string, (world: KernelWorld) => void>> = {
  "a flush of its name": (world) => flush(world, { name: "www.example.org.", below: false }),
  "a flush of its zone": (world) => flush(world, { name: "org.", below: true }),
  "a reload": (world) => world.simulation.reload(corefile()),
  "a reload with another cache": (world) =>
    world.simulation.reload(corefile({ cache: "success 5000" })),
  "new upstreams": (world) =>
    world.simulation.engine.blocks.config.blocks[0]!.plugins.forEach((_, position) =>
      world.simulation.engine.blocks.ask(0, position, { type: "drop", zones: ["."] })
    ),
  "the end of the memory": (world) => world.hits!.close(),
  "expiry": (world) => world.simulation.run(301_000),
  "a stop for more than two seconds": (world) => world.simulation.leap(2600),
};

function flush(world: KernelWorld, choice: { name: string; below: boolean }): void {
  const { blocks } = world.simulation.engine;
  const position = blocks.config.blocks[0]!.plugins.findIndex(({ name }) => name === "cache");
  blocks.ask(0, position, {
    type: "flush",
    choice: { ...choice, type: -1 },
    from: { store: 0, row: 0 },
    zones: ["."],
  });
}

for (const [what, act] of Object.entries(TAKEN_BACK)) {
  Deno.test(`kernel hits: after ${what} the query passes`, () => {
    const world = new KernelWorld(corefile());
    world.publish({});
    assert.notEqual(world.kernel({}), null);
    act(world);
    assert.equal(world.kernel({}), null);
  });
}

Deno.test("kernel hits: a removed entry's slot rests for a second", () => {
  const world = new KernelWorld(corefile());
  world.publish({});
  const slots = () => new Uint8Array(world.memory.small).slice(256, 512);
  const before = slots();
  flush(world, { name: ".", below: true });
  for (let i = 0; i < 40; i++) world.publish({ name: `n${i}.example.org` });
  assert.deepEqual(slots(), before);
});

Deno.test("kernel hits: a replaced entry gives its new answer", () => {
  let data = "192.0.2.1";
  const changing: Behaviour = (query, ...rest) =>
    replying({ answers: [a(query.questions![0]!.name, data, 5)] })(query, ...rest);
  const world = new KernelWorld(corefile(), { behaviour: changing });
  world.publish({});
  data = "192.0.2.2";
  world.simulation.run(6000);
  world.publish({});
  const [answer] = decode(world.kernel({})!).answers!;
  assert.equal((answer as { data: string }).data, data);
});

Deno.test("kernel hits: the last tenth of a life belongs to userland, which refreshes it", () => {
  const world = new KernelWorld(corefile({ cache: "prefetch 5" }));
  world.publish({});
  for (let i = 0; i < 20; i++) assert.notEqual(world.kernel({}), null);
  world.simulation.run(269_000);
  assert.notEqual(world.kernel({}), null);
  world.simulation.run(2000);
  for (let i = 0; i < 6; i++) world.simulation.ask(bytesOf({}));
  assert.equal(world.kernel({}), null);
  // The program's answers are hits, too.
  assert.equal(world.count("coredns_cache_prefetch_total"), 1);
  world.simulation.run(1000);
  world.publish({});
  const [answer] = decode(world.kernel({})!).answers!;
  assert.ok((answer as { ttl: number }).ttl > 290);
});

Deno.test("kernel hits: popular entries are not evicted", () => {
  const world = new KernelWorld(corefile({ cache: "success 1024" }));
  world.publish({});
  for (let i = 0; i < 3000; i++) {
    world.ask({ name: `n${i}.example.org` });
    if (i % 100 === 0) assert.notEqual(world.kernel({}), null, `after ${i} other names`);
  }
});

Deno.test("kernel hits: the metrics are those of userland", () => {
  const queries = [
    {},
    { edns: 1232 },
    { edns: 1232, dnssecOk: true },
    { name: "missing.example.org" },
    { name: "many.example.org", edns: 1232 },
    { name: "nodata.example.org", type: "AAAA" },
  ];
  const [kernel, userland] = [true, false].map((kernel) => {
    const world = new KernelWorld(corefile(), { kernel });
    for (const query of queries) world.publish(query);
    for (let i = 0; i < 50; i++) {
      for (const query of queries) {
        const answer = kernel ? world.kernel(query) : world.ask(query);
        assert.notEqual(answer, null, JSON.stringify(query));
      }
    }
    world.hits?.collect();
    return metricsOf(world);
  }) as [Map<string, number>, Map<string, number>];
  assert.deepEqual(kernel, userland);
});

function metricsOf({ simulation }: KernelWorld): Map<string, number> {
  const { places, values } = simulation.counters;
  const found = new Map<string, number>();
  for (const { name, labels, index, bounds } of places) {
    // Of the simulation's own time.
    if (/kernel|lag|duration|latency|seconds/.test(name)) continue;
    for (let i = 0; i < (bounds === undefined ? 1 : bounds.length + 2); i++) {
      found.set(`${name}${JSON.stringify(labels)}${i}`, values[index + i]!);
    }
  }
  return found;
}

for (
  const [what, options, why] of [
    ["acl", { plugins: "acl {\n block net 10.0.0.0/8\n }" }, /acl may change/],
    ["rewrite", { plugins: "rewrite name old.example.org www.example.org" }, /rewrite may/],
    ["dns64", { plugins: "dns64" }, /dns64 may/],
    ["rrl", { plugins: "rrl {\n responses-per-second 10\n }" }, /rrl may/],
    ["log", { plugins: "log" }, /log may/],
    ["keepttl", { cache: "keepttl" }, /keeps TTLs/],
  ] as const
) {
  Deno.test(`kernel hits: a server block with ${what} publishes nothing, and says why`, () => {
    const world = new KernelWorld(corefile(options));
    world.publish({});
    assert.equal(world.kernel({}), null);
    assert.match(world.simulation.logs.join("\n"), why);
  });
}

for (
  const [what, plugins] of [
    ["errors of log", "log . {\n class error\n }"],
    ["any, local, chaos and nsid", "any\n local\n chaos x y\n nsid"],
    ["bufsize", "bufsize 512"],
  ] as const
) {
  Deno.test(`kernel hits: ${what} do not prevent publishing`, () => {
    const world = new KernelWorld(corefile({ plugins }));
    world.publish({ edns: 4096 });
    assert.deepEqual(world.kernel({ edns: 4096 }), world.ask({ edns: 4096 }));
  });
}

Deno.test("kernel hits: loadbalance leaves only single records to the kernel", () => {
  const world = new KernelWorld(corefile({ plugins: "loadbalance" }));
  world.publish({});
  world.publish({ name: "many.example.org" });
  assert.notEqual(world.kernel({}), null);
  assert.equal(world.kernel({ name: "many.example.org" }), null);
});

Deno.test("kernel hits: a full table gives the slots of idle entries to others", () => {
  const world = new KernelWorld(corefile());
  for (let i = 0; i < 1023; i++) world.publish({ name: `n${i}.example.org` });
  const first = world.count("nodens_kernel_entries");
  assert.ok(first > 900 && first <= 1023, `${first} entries`);
  for (let i = 0; i < 200; i++) world.publish({ name: `m${i}.example.org` });
  world.simulation.run(1100);
  for (let i = 0; i < 200; i++) world.publish({ name: `m${i}.example.org` });
  const found = Array.from({ length: 200 }, (_, i) => world.kernel({ name: `m${i}.example.org` }));
  assert.ok(found.filter((answer) => answer !== null).length > 100);
});

Deno.test("kernel hits: a new thread takes back what the last one published", () => {
  const world = new KernelWorld(corefile());
  world.publish({});
  world.hits!.open(world.memory);
  assert.equal(world.kernel({}), null);
  world.simulation.run(1000);
  world.publish({});
  assert.deepEqual(world.kernel({}), world.ask({}));
});
