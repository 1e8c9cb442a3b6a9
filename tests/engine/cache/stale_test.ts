import assert from "node:assert/strict";
import {
  a,
  cname,
  type Decoded,
  errorCodes,
  ns,
  queryBytes,
  responseBytes,
  soa,
} from "../../support/messages/messages.ts";
import {
  type Asked,
  type Behaviour,
  onlyAnswer,
  Simulation,
} from "../../support/simulation/simulation.ts";
import { lame } from "../../support/simulation/upstream_kinds.ts";

const answer =
  (data: string, options: { ttl?: number; delayMs?: number } = {}): Behaviour => (query) => [{
    bytes: responseBytes(query, {
      answers: [a(query.questions![0]!.name, data, options.ttl ?? 20)],
    }),
    delayMs: options.delayMs ?? 1,
  }];
const failing: Behaviour = (query) => [{ bytes: responseBytes(query, { rcode: 2 }) }];
const refusing: Behaviour = (query) => [{ bytes: responseBytes(query, { rcode: 5 }) }];
const denying: Behaviour = (query) => [{
  bytes: responseBytes(query, { rcode: 3, authorities: [soa("example.org", 20)] }),
}];
const empty: Behaviour = (query) => [{ bytes: responseBytes(query) }];
const silent: Behaviour = () => [];
const truncated: Behaviour = (query) => [{ bytes: responseBytes(query, { truncated: true }) }];
const referral: Behaviour = (query) => [{
  bytes: responseBytes(query, { authorities: [ns("example.org")] }),
}];
const aliasLoop: Behaviour = (query) => {
  const { name } = query.questions![0]!;
  return [{ bytes: responseBytes(query, { answers: [cname(name, name)] }) }];
};
const refusingWith = (rcode: number): Behaviour => (query) => [{
  bytes: responseBytes(query, { rcode }),
}];

class World {
  readonly simulation: Simulation;
  behaviour: Behaviour;

  constructor(options: string, first: Behaviour = answer("192.0.2.1")) {
    this.simulation = new Simulation(`. {\n cache {\n ${options}\n }\n forward . 10.0.0.1\n}`);
    this.behaviour = first;
    this.simulation.upstream("10.0.0.1:53", (...args) => this.behaviour(...args));
  }

  /** Asks for the name, waits for the answer at most `waitMs`, and returns it. */
  ask(waitMs = 50): Decoded {
    return onlyAnswer(this.send(waitMs));
  }

  send(waitMs = 0): Asked {
    const asked = this.simulation.ask(queryBytes({ name: "www.example.org", edns: 1232 }));
    if (waitMs > 0) this.simulation.run(waitMs);
    return asked;
  }

  /** Fills the cache and lets the entry expire. */
  expire(behaviour: Behaviour, afterMs = 25_000): this {
    this.ask();
    this.behaviour = behaviour;
    this.simulation.run(afterMs);
    this.simulation.seen.length = 0;
    return this;
  }

  get upstreamQueries(): number {
    return this.simulation.seen.length;
  }
}

/** Data of the only record and its TTL, and the errors told. */
function told(decoded: Decoded): string {
  const record = decoded.answers![0] as { data: string; ttl: number } | undefined;
  const what = record === undefined ? decoded.rcode : `${record.data} ttl ${record.ttl}`;
  const codes = errorCodes(decoded);
  return codes.length === 0 ? what : `${what} ede ${codes}`;
}

const OLD = "192.0.2.1 ttl 0 ede 3";
const NEW = "192.0.2.2 ttl 20";

Deno.test("without serve_stale nothing stale is served", () => {
  const world = new World("").expire(failing);
  assert.equal(told(world.ask()), "SERVFAIL");
});

for (const options of ["serve_stale", "serve_stale 1h immediate", "serve_stale 1h IMMEDIATE 0"]) {
  Deno.test(`${options}: the stale answer comes at once, the refresh behind it`, () => {
    const world = new World(options).expire(answer("192.0.2.2", { delayMs: 40 }));
    const asked = world.send();
    assert.equal(told(onlyAnswer(asked)), OLD);
    assert.equal(asked.answers[0]!.atMs, asked.atMs);
    world.simulation.run(50);
    assert.equal(told(world.ask()), NEW);
    assert.equal(world.upstreamQueries, 1);
    assert.equal(world.simulation.count("coredns_cache_served_stale_total"), 1);
    assert.equal(world.simulation.count("coredns_cache_prefetch_total"), 1);
  });
}

Deno.test("immediate: one refresh of an entry at a time, and another after the lease", () => {
  const world = new World("serve_stale").expire(silent);
  for (let i = 0; i < 20; i++) assert.equal(told(world.ask(10)), OLD);
  const names = new Set(world.simulation.seen.filter((line) => !line.endsWith(" . NS")));
  assert.equal(names.size, 1);
  assert.equal(world.simulation.count("coredns_cache_prefetch_total"), 1);
});

Deno.test("immediate: a failed refresh waits for the failure's back-off", () => {
  const world = new World("serve_stale").expire(failing);
  const times: number[] = [];
  const startMs = world.simulation.nowMs;
  for (let i = 0; i < 100; i++) {
    const before = world.upstreamQueries;
    const atMs = world.simulation.nowMs;
    assert.equal(told(world.ask(100)), OLD);
    if (world.upstreamQueries > before) times.push((atMs - startMs) / 1000);
  }
  assert.deepEqual(times.map(Math.round), [0, 1, 3, 7]);
});

Deno.test("FAILURE_RECHECK is the pause where it is given", () => {
  const world = new World("serve_stale 1h immediate 15s 10s").expire(failing);
  for (let i = 0; i < 29; i++) assert.equal(told(world.ask(1000)), "192.0.2.1 ttl 15 ede 3");
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
    assert.equal(told(world.ask()), expected);
  });
}

Deno.test("a stale denial is served as one", () => {
  const world = new World("serve_stale", denying).expire(failing);
  assert.equal(told(world.ask()), "NXDOMAIN ede 19");
});

for (const mode of ["verify", "verify 0", "verify 200ms"]) {
  for (
    const { title, behaviour, expected } of [
      { title: "a new answer replaces it", behaviour: answer("192.0.2.2"), expected: NEW },
      { title: "a denial replaces it", behaviour: denying, expected: "NXDOMAIN" },
      { title: "SERVFAIL does not", behaviour: failing, expected: OLD },
      { title: "REFUSED does not", behaviour: refusing, expected: OLD },
    ]
  ) {
    Deno.test(`${mode}: ${title}`, () => {
      const world = new World(`serve_stale 1h ${mode}`).expire(behaviour);
      const decoded = world.ask();
      assert.equal(told(decoded), expected);
      assert.equal(world.upstreamQueries, 1);
    });
  }

  Deno.test(`${mode}: many clients at once cost one upstream query and all get the answer`, () => {
    const world = new World(`serve_stale 1h ${mode}`)
      .expire(answer("192.0.2.2", { delayMs: 40 }));
    const asked = Array.from({ length: 30 }, () => world.send());
    world.simulation.run(100);
    for (const one of asked) assert.equal(told(onlyAnswer(one)), NEW);
    assert.equal(world.upstreamQueries, 1);
    assert.equal(world.simulation.engine.waiting, 0);
  });

  Deno.test(`${mode}: many clients at once all get the stale answer where asking fails`, () => {
    const world = new World(`serve_stale 1h ${mode}`).expire((query, transport) => {
      const [reply] = failing(query, transport) as { bytes: Uint8Array }[];
      return [{ ...reply!, delayMs: 40 }];
    });
    const asked = Array.from({ length: 30 }, () => world.send());
    world.simulation.run(100);
    for (const one of asked) assert.equal(told(onlyAnswer(one)), OLD);
    assert.equal(world.upstreamQueries, 1);
    assert.equal(told(world.ask(10)), OLD);
    assert.equal(world.upstreamQueries, 1);
  });

  Deno.test(`${mode}: an answer with TTL 0 reaches those who waited, though it is not kept`, () => {
    const world = new World(`serve_stale 1h ${mode}\n success 9984 3600 0`)
      .expire(answer("192.0.2.2", { ttl: 0 }));
    assert.equal(told(world.ask()), "192.0.2.2 ttl 0");
    assert.equal(told(world.ask()), "192.0.2.2 ttl 0");
    assert.equal(world.upstreamQueries, 2);
  });
}

Deno.test("verify without a timeout waits until the upstream's own, then serves stale", () => {
  const world = new World("serve_stale 1h verify").expire(silent);
  const asked = world.send(20_000);
  assert.equal(told(onlyAnswer(asked)), OLD);
  assert.ok(asked.answers[0]!.atMs - asked.atMs >= 1000);
});

Deno.test("verify with a timeout serves stale when it is over; the refresh goes on", () => {
  const world = new World("serve_stale 1h verify 100ms 15s")
    .expire(answer("192.0.2.2", { delayMs: 500 }));
  const asked = world.send(200);
  assert.equal(told(onlyAnswer(asked)), "192.0.2.1 ttl 15 ede 3");
  assert.equal(asked.answers[0]!.atMs - asked.atMs, 100);
  const during = world.send();
  assert.equal(told(onlyAnswer(during)), "192.0.2.1 ttl 15 ede 3");
  world.simulation.run(600);
  assert.equal(told(world.ask()), NEW);
  // One for the entry, one for its refresh.
  assert.equal(world.simulation.count("nodens_forward_lookups_total"), 2);
});

Deno.test("verify with FAILURE_RECHECK: while one asks, others get the stale answer", () => {
  for (const mode of ["verify 0 0 10s", "verify 200ms 0 10s"]) {
    const world = new World(`serve_stale 1h ${mode}`)
      .expire(answer("192.0.2.2", { delayMs: 40 }));
    const first = world.send();
    const second = world.send();
    assert.equal(told(onlyAnswer(second)), OLD, mode);
    world.simulation.run(100);
    assert.equal(told(onlyAnswer(first)), NEW, mode);
  }
});

Deno.test("where no place is left to wait, the stale answer comes at once", () => {
  for (const mode of ["immediate", "verify 100ms"]) {
    const simulation = new Simulation(
      `. {\n cache {\n serve_stale 1h ${mode}\n }\n forward . 10.0.0.1\n}`,
      { maxExchanges: 4 },
    );
    let behaviour = answer("192.0.2.1");
    simulation.upstream("10.0.0.1:53", (...args) => behaviour(...args));
    simulation.ask(queryBytes({ name: "www.example.org" }));
    simulation.run(25_000);
    behaviour = silent;
    simulation.ask(queryBytes({ name: "one.example.org" }));
    simulation.ask(queryBytes({ name: "two.example.org" }));
    const asked = simulation.ask(queryBytes({ name: "www.example.org", edns: 1232 }));
    assert.equal(told(onlyAnswer(asked)), OLD, mode);
    // Nothing stays claimed: with a place again, the refresh begins.
    simulation.run(10_000);
    behaviour = answer("192.0.2.2");
    simulation.ask(queryBytes({ name: "www.example.org" }));
    simulation.run(100);
    const later = simulation.ask(queryBytes({ name: "www.example.org", edns: 1232 }));
    assert.equal(told(onlyAnswer(later)), NEW, mode);
  }
});

Deno.test("prefer_positive: a denial is kept beside the positive answer, and that is served", () => {
  const options = "serve_stale 1h immediate\n serve_stale_policy prefer_positive";
  for (
    const { name, behaviour } of [
      { name: "NXDOMAIN", behaviour: denying },
      { name: "an empty answer", behaviour: empty },
      { name: "SERVFAIL", behaviour: failing },
    ]
  ) {
    const world = new World(options).expire(behaviour);
    for (let i = 0; i < 5; i++) assert.equal(told(world.ask(1000)), OLD, name);
    world.behaviour = answer("192.0.2.2");
    world.simulation.run(30_000);
    world.ask();
    assert.equal(told(world.ask()), NEW, name);
  }
});

Deno.test("prefer_positive with verify: only a positive answer replaces a stale one", () => {
  const options = "serve_stale 1h verify\n serve_stale_policy prefer_positive";
  for (const behaviour of [denying, empty, failing]) {
    assert.equal(told(new World(options).expire(behaviour).ask()), OLD);
  }
  assert.equal(told(new World(options).expire(answer("192.0.2.2")).ask()), NEW);
});

Deno.test("without prefer_positive a denial replaces a stale answer", () => {
  const world = new World("serve_stale 1h immediate").expire(denying);
  assert.equal(told(world.ask()), OLD);
  assert.equal(told(world.ask()), "NXDOMAIN");
});

Deno.test("prefer_positive ends with DURATION", () => {
  const options = "serve_stale 1m immediate\n serve_stale_policy prefer_positive";
  const world = new World(options).expire(denying, 85_000);
  assert.equal(told(world.ask()), "NXDOMAIN");
});

for (const mode of ["immediate", "verify", "verify 500ms"]) {
  for (
    const { title, behaviour } of [
      { title: "empty without SOA", behaviour: empty },
      { title: "a referral", behaviour: referral },
      { title: "a lame server's referral", behaviour: lame("referral") },
      { title: "a lame server's nothing", behaviour: lame("empty") },
      { title: "truncated", behaviour: truncated },
      { title: "a loop of aliases", behaviour: aliasLoop },
      { title: "FORMERR", behaviour: refusingWith(1) },
      { title: "NOTIMP", behaviour: refusingWith(4) },
    ]
  ) {
    Deno.test(`${mode}: ${title} does not take the place of a stale answer`, () => {
      const world = new World(`serve_stale 1h ${mode}`).expire(behaviour);
      for (let i = 0; i < 4; i++) assert.equal(told(world.ask(1000)), OLD);
      world.behaviour = answer("192.0.2.2");
      world.simulation.run(5000);
      world.ask();
      assert.equal(told(world.ask()), NEW);
    });
  }
}

for (const mode of ["verify", "verify 500ms"]) {
  Deno.test(`${mode}: a fresh answer has AA, as the next one from the cache`, () => {
    const world = new World(`serve_stale 1h ${mode}`).expire(answer("192.0.2.2", { delayMs: 30 }));
    const both = [world.send(), world.send()];
    world.simulation.run(100);
    for (const asked of [...both, world.send()]) {
      assert.equal(told(onlyAnswer(asked)), NEW);
      assert.equal(onlyAnswer(asked).flag_aa, true);
    }
    assert.equal(world.simulation.count("nodens_forward_lookups_total"), 2);
  });
}
