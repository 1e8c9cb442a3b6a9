import assert from "node:assert/strict";
import { errorCodes } from "../../support/messages/messages.ts";
import {
  answering,
  CacheWorld,
  denying,
  failing,
  silent,
} from "../../support/simulation/cache_world.ts";
import { onlyAnswer } from "../../support/simulation/simulation.ts";

const good = answering({ ttl: 20 });

/** Asks every 100 ms; returns the times of upstream queries in seconds. */
function askedAt(world: CacheWorld, seconds: number): number[] {
  const times: number[] = [];
  const startMs = world.simulation.nowMs;
  for (let i = 0; i < seconds * 10; i++) {
    const before = world.upstreamQueries;
    const atMs = world.simulation.nowMs;
    world.ask();
    if (world.upstreamQueries > before) times.push(Math.round((atMs - startMs) / 100) / 10);
    world.run(50);
  }
  return times;
}

for (
  const { title, options, seconds, expected } of [
    {
      title: "a failure is stored for one second, each consecutive one twice as long, up to five",
      options: "",
      seconds: 20,
      expected: [0, 1, 3, 7, 12, 17],
    },
    {
      title: "servfail caps the pause",
      options: "servfail 2s",
      seconds: 8,
      expected: [0, 1, 3, 5, 7],
    },
    {
      title: "servfail 1s stores each failure for a second",
      options: "servfail 1s",
      seconds: 4,
      expected: [0, 1, 2, 3],
    },
  ]
) {
  Deno.test(title, () => {
    assert.deepEqual(askedAt(new CacheWorld(failing, options), seconds), expected);
  });
}

for (const options of ["servfail 0", "servfail 500ms", "disable denial"]) {
  Deno.test(`${options} stores no failure`, () => {
    const world = new CacheWorld(failing, options);
    world.ask();
    world.simulation.seen.length = 0;
    world.ask();
    world.ask();
    assert.equal(world.upstreamQueries, 4);
  });
}

Deno.test("a cached failure is a hit, and has an Extended DNS Error for clients with OPT", () => {
  const world = new CacheWorld(failing);
  assert.equal(world.ask({ edns: 1232 }).rcode, "SERVFAIL");
  const second = world.ask({ edns: 1232 });
  assert.equal(second.rcode, "SERVFAIL");
  assert.deepEqual(errorCodes(second), [13]);
  assert.deepEqual(errorCodes(world.ask()), []);
  assert.equal(world.count("coredns_cache_hits_total"), 2);
  assert.equal(world.count("coredns_cache_entries"), 1);
});

Deno.test("an Extended DNS Error does not appear in the next answer", () => {
  const world = new CacheWorld(failing);
  world.ask();
  assert.deepEqual(errorCodes(world.ask({ edns: 1232 })), [13]);
  world.behaviour = good;
  assert.deepEqual(errorCodes(world.ask({ name: "other.example.org", edns: 1232 })), []);
});

Deno.test("the failure of a silent upstream is stored", () => {
  const world = new CacheWorld(silent);
  const asked = world.send();
  for (let i = 0; i < 600 && world.simulation.engine.waiting > 0; i++) world.run(10);
  assert.equal(onlyAnswer(asked).rcode, "SERVFAIL");
  const attempts = world.upstreamQueries;
  const next = world.ask({ edns: 1232 });
  assert.equal(next.rcode, "SERVFAIL");
  assert.deepEqual(errorCodes(next), [13]);
  assert.equal(world.upstreamQueries, attempts);
});

for (const [title, recovered] of [["an answer", good], ["a denial", denying()]] as const) {
  Deno.test(`${title} ends the failure and its back-off`, () => {
    const world = new CacheWorld(failing);
    askedAt(world, 4);
    world.behaviour = recovered;
    world.run(4000);
    world.ask();
    assert.equal(world.count("coredns_cache_entries"), 1);
    world.behaviour = failing;
    world.run(31_000);
    assert.deepEqual(askedAt(world, 2), [0, 1]);
  });
}

Deno.test("back-off restarts when the last failure is forgotten", () => {
  const world = new CacheWorld(failing);
  askedAt(world, 6);
  world.run(20_000);
  assert.deepEqual(askedAt(world, 2), [0, 1]);
});

for (
  const { title, waitMs, check } of [
    {
      title: "a failure never replaces a positive answer",
      waitMs: 5000,
      check: (world: CacheWorld) => {
        for (let i = 0; i < 2; i++) assert.equal(world.ask().rcode, "NOERROR");
      },
    },
    {
      title: "a failed prefetch is tried again after the pause, one at a time",
      waitMs: 3000,
      check: (world: CacheWorld) => assert.deepEqual(askedAt(world, 4), [0, 1, 3]),
    },
  ]
) {
  Deno.test(title, () => {
    const world = new CacheWorld(good, "prefetch 1 1m 90%");
    world.ask();
    world.behaviour = failing;
    world.run(waitMs);
    check(world);
  });
}
