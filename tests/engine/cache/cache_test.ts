import assert from "node:assert/strict";
import {
  answering,
  CacheWorld,
  denying,
  failing,
  replying,
  ttlOf,
} from "../../support/simulation/cache_world.ts";

Deno.test("cache: the second query is answered with the remaining TTL", () => {
  const world = new CacheWorld(answering());
  assert.equal(ttlOf(world.ask()), 300);
  world.run(10_000);
  const second = world.ask({ name: "WWW.example.org", id: 77 });
  assert.equal(second.id, 77);
  assert.equal(second.questions![0]!.name, "WWW.example.org");
  assert.equal(ttlOf(second), 290);
  assert.equal(second.flag_aa, true);
  assert.equal(world.upstreamQueries, 1);
});

for (
  const { title, ttl, options, expected } of [
    { title: "an entry expires with its TTL", ttl: 20, options: "", expected: 20 },
    { title: "the default maximum caps the TTL", ttl: 90_000, options: "", expected: 3600 },
    { title: "the default minimum raises the TTL", ttl: 0, options: "", expected: 5 },
    { title: "success TTL caps the TTL", ttl: 300, options: "success 9984 30", expected: 30 },
    { title: "MINTTL raises the TTL", ttl: 1, options: "success 9984 300 60", expected: 60 },
    {
      title: "the options of the node-local documentation apply",
      ttl: 300,
      options: "success 9984 30\n denial 9984 5\n prefetch 500 5",
      expected: 30,
    },
  ]
) {
  Deno.test(title, () => {
    const world = new CacheWorld(answering({ ttl }), options);
    assert.equal(ttlOf(world.ask()), expected);
    world.run((expected - 1) * 1000);
    world.ask();
    assert.equal(world.upstreamQueries, 1);
    world.run(2000);
    world.ask();
    assert.equal(world.upstreamQueries, 2);
  });
}

Deno.test("cache: keepttl answers with the original TTL", () => {
  const world = new CacheWorld(answering(), "keepttl");
  world.ask();
  world.run(100_000);
  assert.equal(ttlOf(world.ask()), 300);
});

Deno.test("cache: NXDOMAIN is stored for the SOA record's TTL", () => {
  const world = new CacheWorld(denying());
  assert.equal(world.ask().rcode, "NXDOMAIN");
  world.run(20_000);
  const second = world.ask();
  assert.equal(second.rcode, "NXDOMAIN");
  assert.equal(second.authorities!.length, 1);
  assert.equal(world.upstreamQueries, 1);
  world.run(15_000);
  world.ask();
  assert.equal(world.upstreamQueries, 2);
});

for (
  const [title, behaviour, options] of [
    ["a denial without an SOA record is not stored", replying({ rcode: 3 }), ""],
    ["a denial in a disabled zone is not stored", denying(), "disable denial example.org"],
  ] as const
) {
  Deno.test(title, () => {
    const world = new CacheWorld(behaviour, options);
    world.ask();
    world.ask();
    assert.equal(world.upstreamQueries, 2);
  });
}

Deno.test("cache: SERVFAIL does not replace a fresh positive answer", () => {
  const world = new CacheWorld(answering(), "prefetch 1 1m 90%");
  world.ask();
  world.behaviour = failing;
  world.run(40_000);
  for (let i = 0; i < 3; i++) assert.equal(world.ask().rcode, "NOERROR");
});

Deno.test("cache: queries with DO or CD have separate entries", () => {
  const world = new CacheWorld(answering());
  world.ask();
  world.ask({ edns: 1232, dnssecOk: true });
  world.ask({ flags: 0x0110 });
  world.ask({ edns: 1232 });
  assert.equal(world.upstreamQueries, 3);
});

Deno.test("cache: a query without RD is answered from the cache, but its answer is not stored", () => {
  const world = new CacheWorld(answering());
  world.ask({ flags: 0 });
  world.ask();
  assert.equal(world.upstreamQueries, 2);
  world.ask({ flags: 0 });
  assert.equal(world.upstreamQueries, 2);
});

Deno.test("cache: a popular name is refreshed once before it expires", () => {
  const world = new CacheWorld(answering({ ttl: 100 }), "prefetch 3 1m 10%");
  for (let i = 0; i < 4; i++) {
    world.ask();
    world.run(22_000);
  }
  assert.equal(world.upstreamQueries, 1);
  world.run(3000);
  for (let i = 0; i < 2; i++) assert.equal(world.ask().answers!.length, 1);
  assert.equal(world.upstreamQueries, 2);
  world.run(20_000);
  assert.ok(ttlOf(world.ask()) > 70);
  assert.equal(world.upstreamQueries, 2);
});

Deno.test("cache: a name with gaps between its queries is not refreshed", () => {
  const world = new CacheWorld(answering({ ttl: 100 }), "prefetch 3 10s 10%");
  for (let i = 0; i < 4; i++) {
    world.ask();
    world.run(23_500);
  }
  world.ask();
  assert.equal(world.upstreamQueries, 1);
});
