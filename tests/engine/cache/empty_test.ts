import assert from "node:assert/strict";
import { a, cname, ns, queryBytes } from "../../support/messages/messages.ts";
import { answering, CacheWorld, replying } from "../../support/simulation/cache_world.ts";
import { onlyAnswer, Simulation } from "../../support/simulation/simulation.ts";
import { failing, lame, refusing, truncating } from "../../support/simulation/upstream_kinds.ts";

const good = answering({ ttl: 100 });
const glue = a("ns.example.org", "192.0.2.53", 518_400);
const PREFETCH = "prefetch 1 1m 90%";

const WITHOUT_DATA = [
  {
    title: "a referral",
    behaviour: replying({ authorities: [ns("example.org")], additionals: [glue] }),
  },
  { title: "an empty reply", behaviour: replying() },
  { title: "a reply with only additional data", behaviour: replying({ additionals: [glue] }) },
  { title: "an empty authoritative reply", behaviour: replying({ flags: 0x0400 }) },
];

for (const { title, behaviour } of WITHOUT_DATA) {
  for (const options of ["", "success 9984 3600 60", "serve_stale 1h immediate"]) {
    Deno.test(`${title} is stored for two seconds, whatever its TTLs: cache ${options}`, () => {
      const world = new CacheWorld(behaviour, options);
      const first = world.ask();
      assert.equal(first.rcode, "NOERROR");
      for (const record of [...first.authorities!, ...first.additionals!]) {
        if (record.type !== "OPT") assert.equal((record as { ttl: number }).ttl, 2);
      }
      world.run(1000);
      world.ask();
      assert.equal(world.lookups, 1);
      world.run(1000);
      world.behaviour = good;
      assert.equal(world.ask().answers!.length, 1);
      assert.equal(world.lookups, 2);
    });
  }

  Deno.test(`${title} does not replace an entry that is being refreshed`, () => {
    const world = new CacheWorld(good, PREFETCH);
    world.ask();
    world.behaviour = behaviour;
    world.run(20_000);
    for (let i = 0; i < 5; i++) assert.equal(world.ask().answers!.length, 1);
    assert.equal(world.lookups, 2);
    world.run(1100);
    assert.equal(world.ask().answers!.length, 1);
    assert.equal(world.lookups, 3);
  });

  Deno.test(`${title} replaces an expired entry without serve_stale`, () => {
    const world = new CacheWorld(good);
    world.ask();
    world.behaviour = behaviour;
    world.run(101_000);
    for (let i = 0; i < 3; i++) assert.equal(world.ask().answers!.length, 0);
    assert.equal(world.lookups, 2);
  });
}

for (const kind of ["referral", "empty"] as const) {
  Deno.test(`the reply of a lame server is passed on and not stored: ${kind}`, () => {
    const world = new CacheWorld(lame(kind));
    for (let i = 1; i <= 3; i++) {
      assert.equal(world.ask().rcode, "NOERROR");
      assert.equal(world.lookups, i);
    }
    assert.equal(world.count("coredns_cache_entries"), 0);
  });
}

for (const [text, rcode] of [["REFUSED", 5], ["NOTIMP", 4], ["FORMERR", 1]] as const) {
  Deno.test(`${text} of the only server is stored as a failure, which replaces no answer`, () => {
    const world = new CacheWorld(good, PREFETCH);
    world.ask();
    world.behaviour = failing(rcode);
    world.run(20_000);
    for (let i = 0; i < 3; i++) assert.equal(world.ask().answers!.length, 1);
    world.run(90_000);
    assert.equal(world.ask().rcode, text);
    const { lookups } = world;
    assert.equal(world.ask().rcode, text);
    assert.equal(world.lookups, lookups);
    world.run(5000);
    world.behaviour = good;
    assert.equal(world.ask().answers!.length, 1);
  });
}

Deno.test("a loop of aliases is passed on, and stored as a failure", () => {
  const [name, other] = ["www.example.org", "b.example.org"];
  const world = new CacheWorld(replying({ answers: [cname(name, other), cname(other, name)] }));
  for (let i = 0; i < 3; i++) assert.equal(world.ask().answers!.length, 2);
  assert.equal(world.lookups, 1);
  world.run(1000);
  world.ask();
  assert.equal(world.lookups, 2);
});

for (const rcode of [0, 3]) {
  Deno.test(`a truncated answer with the response code ${rcode} is never stored`, () => {
    const truncated = replying({ truncated: true, rcode });
    const world = new CacheWorld((query, transport, arrival) =>
      (transport === "tcp" ? refusing : truncated)(query, transport, arrival)
    );
    for (let i = 1; i <= 3; i++) {
      assert.equal(world.ask().flag_tc, true);
      assert.equal(world.lookups, i);
    }
    assert.equal(world.count("coredns_cache_entries"), 0);
  });
}

Deno.test("a truncated answer does not replace an entry that is being refreshed", () => {
  const world = new CacheWorld(good, PREFETCH);
  world.ask();
  world.behaviour = truncating(refusing);
  world.run(20_000);
  for (let i = 0; i < 3; i++) assert.equal(world.ask().flag_tc, false);
});

Deno.test("a refusal because of max_concurrent is not stored", () => {
  const simulation = new Simulation(
    ". {\n cache\n forward . 10.0.0.1 {\n max_concurrent 1\n }\n}",
  );
  simulation.upstream("10.0.0.1:53", good);
  simulation.ask(queryBytes({ name: "first.example.org" }));
  const refused = simulation.ask(queryBytes({ name: "www.example.org" }));
  assert.equal(onlyAnswer(refused).rcode, "REFUSED");
  simulation.run(10);
  const again = simulation.ask(queryBytes({ name: "www.example.org" }));
  simulation.run(10);
  assert.equal(onlyAnswer(again).answers!.length, 1);
});
