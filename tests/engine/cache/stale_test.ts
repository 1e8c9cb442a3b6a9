import assert from "node:assert/strict";
import { cname, type Decoded, errorCodes, ns } from "../../support/messages/messages.ts";
import {
  answering,
  CacheWorld,
  denying as denyingFor,
  failing,
  NAME,
  replying,
  silent,
} from "../../support/simulation/cache_world.ts";
import { type Asked, type Behaviour, onlyAnswer } from "../../support/simulation/simulation.ts";
import { lame } from "../../support/simulation/upstream_kinds.ts";

const answer = (data: string, options: { ttl?: number; delayMs?: number } = {}) =>
  answering({ data, ttl: 20, ...options });
const denying = denyingFor(20);
const empty = replying();

class World extends CacheWorld {
  constructor(options: string, first: Behaviour = answer("192.0.2.1"), others = {}) {
    super(first, options, others);
  }

  /** Fills the cache, lets the entry expire, and changes the upstream. */
  expire(behaviour: Behaviour, afterMs = 25_000): this {
    this.ask();
    this.behaviour = behaviour;
    this.run(afterMs);
    this.simulation.seen.length = 0;
    return this;
  }

  query(): Asked {
    return this.send({ edns: 1232 });
  }

  /** Answers to a query within `waitMs`. */
  told(waitMs = 50): string {
    return told(this.ask({ edns: 1232 }, { waitMs }));
  }

  /** Answers to `clients` that ask at once, within 100 ms. */
  toldAll(clients: number): string[] {
    const asked = Array.from({ length: clients }, () => this.query());
    this.run(100);
    return asked.map((one) => told(onlyAnswer(one)));
  }
}

/** Data and TTL of the only record, and the Extended DNS Errors. */
function told(decoded: Decoded): string {
  const record = decoded.answers![0] as { data: string; ttl: number } | undefined;
  const what = record === undefined ? decoded.rcode : `${record.data} ttl ${record.ttl}`;
  const codes = errorCodes(decoded);
  return codes.length === 0 ? what : `${what} ede ${codes}`;
}

const OLD = "192.0.2.1 ttl 0 ede 3";
const NEW = "192.0.2.2 ttl 20";

Deno.test("without serve_stale, no stale answer is sent", () => {
  const world = new World("").expire(failing);
  assert.equal(world.told(), "SERVFAIL");
});

for (const options of ["serve_stale", "serve_stale 1h immediate", "serve_stale 1h IMMEDIATE 0"]) {
  Deno.test(`${options}: the stale answer is sent at once, and the entry refreshed`, () => {
    const world = new World(options).expire(answer("192.0.2.2", { delayMs: 40 }));
    const asked = world.query();
    assert.equal(told(onlyAnswer(asked)), OLD);
    assert.equal(asked.answers[0]!.atMs, asked.atMs);
    world.run(50);
    assert.equal(world.told(), NEW);
    assert.equal(world.upstreamQueries, 1);
    assert.equal(world.count("coredns_cache_served_stale_total"), 1);
    assert.equal(world.count("coredns_cache_prefetch_total"), 1);
  });
}

Deno.test("immediate: an entry has at most one refresh in flight", () => {
  const world = new World("serve_stale").expire(silent);
  for (let i = 0; i < 20; i++) assert.equal(world.told(10), OLD);
  const names = new Set(world.simulation.seen.filter((line) => !line.endsWith(" . NS")));
  assert.equal(names.size, 1);
  assert.equal(world.count("coredns_cache_prefetch_total"), 1);
});

Deno.test("immediate: the next refresh waits for the back-off of the failure", () => {
  const world = new World("serve_stale").expire(failing);
  const times: number[] = [];
  const startMs = world.simulation.nowMs;
  for (let i = 0; i < 100; i++) {
    const before = world.upstreamQueries;
    const atMs = world.simulation.nowMs;
    assert.equal(world.told(100), OLD);
    if (world.upstreamQueries > before) times.push((atMs - startMs) / 1000);
  }
  assert.deepEqual(times.map(Math.round), [0, 1, 3, 7]);
});

Deno.test("FAILURE_RECHECK is the pause after a failed refresh", () => {
  const world = new World("serve_stale 1h immediate 15s 10s").expire(failing);
  for (let i = 0; i < 29; i++) assert.equal(world.told(1000), "192.0.2.1 ttl 15 ede 3");
  assert.equal(world.upstreamQueries, 3);
});

for (
  const { title, options, afterMs, expected } of [
    { title: "within DURATION", options: "serve_stale 1m", afterMs: 75_000, expected: OLD },
    { title: "beyond DURATION", options: "serve_stale 1m", afterMs: 81_000, expected: "SERVFAIL" },
    { title: "a DURATION of 0", options: "serve_stale 0", afterMs: 25_000, expected: "SERVFAIL" },
    {
      title: "keepttl",
      options: "serve_stale\n keepttl",
      afterMs: 25_000,
      expected: "192.0.2.1 ttl 20 ede 3",
    },
    {
      title: "keepttl and a RESPONSE_TTL",
      options: "serve_stale 1h immediate 15s\n keepttl",
      afterMs: 25_000,
      expected: "192.0.2.1 ttl 15 ede 3",
    },
    {
      title: "a RESPONSE_TTL above the entry's own",
      options: "serve_stale 1h immediate 30s",
      afterMs: 25_000,
      expected: "192.0.2.1 ttl 20 ede 3",
    },
  ]
) {
  Deno.test(`stale answers: ${title}`, () => {
    const world = new World(options).expire(failing, afterMs);
    assert.equal(world.told(), expected);
  });
}

Deno.test("a stale denial is served with its own Extended DNS Error", () => {
  const world = new World("serve_stale", denying).expire(failing);
  assert.equal(world.told(), "NXDOMAIN ede 19");
});

for (const mode of ["verify", "verify 0", "verify 200ms"]) {
  for (
    const { title, behaviour, expected } of [
      { title: "a new answer replaces it", behaviour: answer("192.0.2.2"), expected: NEW },
      { title: "a denial replaces it", behaviour: denying, expected: "NXDOMAIN" },
      { title: "SERVFAIL does not", behaviour: failing, expected: OLD },
      { title: "REFUSED does not", behaviour: replying({ rcode: 5 }), expected: OLD },
    ]
  ) {
    Deno.test(`${mode}: ${title}`, () => {
      const world = new World(`serve_stale 1h ${mode}`).expire(behaviour);
      assert.equal(world.told(), expected);
      assert.equal(world.upstreamQueries, 1);
    });
  }

  Deno.test(`${mode}: clients that ask at once share one upstream query and its answer`, () => {
    const world = new World(`serve_stale 1h ${mode}`)
      .expire(answer("192.0.2.2", { delayMs: 40 }));
    assert.deepEqual(new Set(world.toldAll(30)), new Set([NEW]));
    assert.equal(world.upstreamQueries, 1);
    assert.equal(world.simulation.engine.waiting, 0);
  });

  Deno.test(`${mode}: clients that ask at once get the stale answer if the query fails`, () => {
    const world = new World(`serve_stale 1h ${mode}`).expire(replying({ rcode: 2 }, 40));
    assert.deepEqual(new Set(world.toldAll(30)), new Set([OLD]));
    assert.equal(world.upstreamQueries, 1);
    assert.equal(world.told(10), OLD);
    assert.equal(world.upstreamQueries, 1);
  });

  Deno.test(`${mode}: an answer with TTL 0 reaches waiting clients, but is not stored`, () => {
    const world = new World(`serve_stale 1h ${mode}\n success 9984 3600 0`)
      .expire(answer("192.0.2.2", { ttl: 0 }));
    assert.equal(world.told(), "192.0.2.2 ttl 0");
    assert.equal(world.told(), "192.0.2.2 ttl 0");
    assert.equal(world.upstreamQueries, 2);
  });
}

Deno.test("verify without a timeout serves stale after the timeout of forward", () => {
  const world = new World("serve_stale 1h verify").expire(silent);
  const asked = world.query();
  world.run(20_000);
  assert.equal(told(onlyAnswer(asked)), OLD);
  assert.ok(asked.answers[0]!.atMs - asked.atMs >= 1000);
});

Deno.test("verify with a timeout serves stale after it, while the refresh continues", () => {
  const world = new World("serve_stale 1h verify 100ms 15s")
    .expire(answer("192.0.2.2", { delayMs: 500 }));
  const asked = world.query();
  world.run(200);
  assert.equal(told(onlyAnswer(asked)), "192.0.2.1 ttl 15 ede 3");
  assert.equal(asked.answers[0]!.atMs - asked.atMs, 100);
  const during = world.query();
  assert.equal(told(onlyAnswer(during)), "192.0.2.1 ttl 15 ede 3");
  world.run(600);
  assert.equal(world.told(), NEW);
  assert.equal(world.count("nodens_forward_lookups_total"), 2);
});

Deno.test("verify with FAILURE_RECHECK: other clients get the stale answer during a refresh", () => {
  for (const mode of ["verify 0 0 10s", "verify 200ms 0 10s"]) {
    const world = new World(`serve_stale 1h ${mode}`)
      .expire(answer("192.0.2.2", { delayMs: 40 }));
    const first = world.query();
    const second = world.query();
    assert.equal(told(onlyAnswer(second)), OLD, mode);
    world.run(100);
    assert.equal(told(onlyAnswer(first)), NEW, mode);
  }
});

for (const mode of ["immediate", "verify 100ms"]) {
  Deno.test(`${mode}: without room to wait, the stale answer is sent at once`, () => {
    const world = new World(`serve_stale 1h ${mode}`, undefined, { maxExchanges: 4 })
      .expire(silent);
    world.send({ name: "one.example.org" });
    world.send({ name: "two.example.org" });
    assert.equal(told(onlyAnswer(world.query())), OLD);
    // The refresh is not claimed: it begins once there is room again.
    world.run(10_000);
    world.behaviour = answer("192.0.2.2");
    world.ask({}, { waitMs: 100 });
    assert.equal(told(onlyAnswer(world.query())), NEW);
  });
}

Deno.test("prefer_positive: a denial does not replace the positive answer", () => {
  const options = "serve_stale 1h immediate\n serve_stale_policy prefer_positive";
  for (
    const { name, behaviour } of [
      { name: "NXDOMAIN", behaviour: denying },
      { name: "an empty answer", behaviour: empty },
      { name: "SERVFAIL", behaviour: failing },
    ]
  ) {
    const world = new World(options).expire(behaviour);
    for (let i = 0; i < 5; i++) assert.equal(world.told(1000), OLD, name);
    world.behaviour = answer("192.0.2.2");
    world.run(30_000);
    world.ask();
    assert.equal(world.told(), NEW, name);
  }
});

Deno.test("prefer_positive with verify: only a positive answer replaces a stale one", () => {
  const options = "serve_stale 1h verify\n serve_stale_policy prefer_positive";
  for (const behaviour of [denying, empty, failing]) {
    assert.equal(new World(options).expire(behaviour).told(), OLD);
  }
  assert.equal(new World(options).expire(answer("192.0.2.2")).told(), NEW);
});

Deno.test("without prefer_positive a denial replaces a stale answer", () => {
  const world = new World("serve_stale 1h immediate").expire(denying);
  assert.equal(world.told(), OLD);
  assert.equal(world.told(), "NXDOMAIN");
});

Deno.test("prefer_positive ends with DURATION", () => {
  const options = "serve_stale 1m immediate\n serve_stale_policy prefer_positive";
  const world = new World(options).expire(denying, 85_000);
  assert.equal(world.told(), "NXDOMAIN");
});

for (const mode of ["immediate", "verify", "verify 500ms"]) {
  for (
    const { title, behaviour } of [
      { title: "an empty reply", behaviour: empty },
      { title: "a referral", behaviour: replying({ authorities: [ns("example.org")] }) },
      { title: "a lame server's referral", behaviour: lame("referral") },
      { title: "a lame server's empty reply", behaviour: lame("empty") },
      { title: "a truncated answer", behaviour: replying({ truncated: true }) },
      { title: "a loop of aliases", behaviour: replying({ answers: [cname(NAME, NAME)] }) },
      { title: "FORMERR", behaviour: replying({ rcode: 1 }) },
      { title: "NOTIMP", behaviour: replying({ rcode: 4 }) },
    ]
  ) {
    Deno.test(`${mode}: ${title} does not replace a stale answer`, () => {
      const world = new World(`serve_stale 1h ${mode}`).expire(behaviour);
      for (let i = 0; i < 4; i++) assert.equal(world.told(1000), OLD);
      world.behaviour = answer("192.0.2.2");
      world.run(5000);
      world.ask();
      assert.equal(world.told(), NEW);
    });
  }
}

for (const mode of ["verify", "verify 500ms"]) {
  Deno.test(`${mode}: a fresh answer has AA, like the next one from the cache`, () => {
    const world = new World(`serve_stale 1h ${mode}`).expire(answer("192.0.2.2", { delayMs: 30 }));
    const both = [world.query(), world.query()];
    world.run(100);
    for (const asked of [...both, world.query()]) {
      assert.equal(told(onlyAnswer(asked)), NEW);
      assert.equal(onlyAnswer(asked).flag_aa, true);
    }
    assert.equal(world.count("nodens_forward_lookups_total"), 2);
  });
}
