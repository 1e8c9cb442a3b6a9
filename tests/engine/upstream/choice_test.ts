import assert from "node:assert/strict";
import { errorCodes, responseBytes } from "../../support/messages/messages.ts";
import {
  addressIn,
  ask,
  askMany,
  deliver,
  forwarding,
  type ForwardingOptions,
  rcodes,
  sentFor,
  sentTo,
  waited,
} from "../../support/simulation/forwarding.ts";
import {
  type Asked,
  type Behaviour,
  onlyAnswer,
  Simulation,
} from "../../support/simulation/simulation.ts";
import { answering, refusing, silent } from "../../support/simulation/upstream_kinds.ts";

function world(
  upstreams: Record<string, Behaviour>,
  options: ForwardingOptions<Simulation> = {},
): Simulation {
  return forwarding(upstreams, {
    before: "timeouts {\n discard 0\n }",
    policy: "random",
    ...options,
  });
}

Deno.test("policy fastest prefers the upstreams with the shortest response times", () => {
  const simulation = world({
    "10.0.0.1": answering(40),
    "10.0.0.2": answering(3),
    "10.0.0.3": answering(4),
  }, { policy: "fastest" });
  askMany(simulation, 50, { forMs: 60 });
  const from = simulation.seen.length;
  askMany(simulation, 200, { prefix: "m", forMs: 20 });
  assert.equal(sentTo(simulation, "10.0.0.1", from), 0);
  assert.ok(sentTo(simulation, "10.0.0.2", from) > 40);
  assert.ok(sentTo(simulation, "10.0.0.3", from) > 40);
});

Deno.test("policy fastest still measures the others, and follows a change", () => {
  let slow = 3;
  const simulation = world({
    "10.0.0.1": answering(() => slow),
    "10.0.0.2": answering(() => 60 - slow),
  }, { policy: "fastest" });
  askMany(simulation, 100, { forMs: 50 });
  slow = 57;
  askMany(simulation, 1000, { prefix: "m", forMs: 50 });
  const from = simulation.seen.length;
  askMany(simulation, 50, { prefix: "o", forMs: 50 });
  assert.equal(sentTo(simulation, "10.0.0.1", from), 0);
  assert.equal(sentTo(simulation, "10.0.0.2", from), 50);
});

/** Hedges after 20 ms, and has earned a hedge. */
function hedging(): Simulation {
  const simulation = world({
    "10.0.0.1": answering(2),
    "10.0.0.2": answering(2, "192.0.2.8"),
  }, { policy: "sequential", options: "hedge 20ms" });
  askMany(simulation, 40, { forMs: 5 });
  return simulation;
}

Deno.test("a hedge asks a second upstream after the given time, and the first good answer wins", () => {
  const simulation = hedging();
  simulation.upstream("10.0.0.1:53", answering(150));
  const asked = ask(simulation, { forMs: 1000 });
  assert.equal(addressIn(asked), "192.0.2.8");
  assert.ok(waited(asked) < 30, `${waited(asked)} ms`);
  assert.equal(simulation.count("nodens_forward_hedges_total"), 1);
});

Deno.test("an error response does not win over an answer that is still to come", () => {
  const simulation = hedging();
  simulation.upstream("10.0.0.1:53", answering(100));
  simulation.upstream("10.0.0.2:53", (query) => [{ bytes: responseBytes(query, { rcode: 2 }) }]);
  assert.equal(onlyAnswer(ask(simulation, { forMs: 1000 })).rcode, "NOERROR");
});

// With `hedge` alone, 150 ms become the usual time.
for (const [options, least] of [["hedge 10ms", 40], ["hedge", 1]] as const) {
  Deno.test(`${options}: at most one query in twenty is hedged, however slow the upstream`, () => {
    const simulation = world({ "10.0.0.1": answering(30), "10.0.0.2": answering(2) }, {
      policy: "sequential",
      options,
    });
    const asked = askMany(simulation, 100, { forMs: 3 });
    simulation.upstream("10.0.0.1:53", answering(150));
    asked.push(...askMany(simulation, 900, { prefix: "m", forMs: 3 }));
    simulation.run(2000);
    assert.deepEqual(rcodes(asked), ["NOERROR"]);
    const hedges = simulation.count("nodens_forward_hedges_total");
    assert.ok(hedges >= least && hedges <= 50, `${hedges} hedges in 1000 queries`);
  });
}

Deno.test("a lost query is sent again", () => {
  let lost = 1;
  const simulation = world({
    "10.0.0.1": (query, transport) => lost-- > 0 ? [] : answering(2)(query, transport),
  });
  const asked = ask(simulation, { forMs: 3000 });
  assert.equal(onlyAnswer(asked).rcode, "NOERROR");
  assert.ok(waited(asked) < 500, `${waited(asked)} ms`);
});

Deno.test("a slow upstream does not get all queries twice", () => {
  const simulation = world({ "10.0.0.1": answering(1500) });
  askMany(simulation, 1000, { forMs: 1 });
  simulation.run(6000);
  const resends = simulation.count("nodens_forward_resends_total");
  assert.ok(resends <= 330, `${resends} of 1000 sent again`);
});

Deno.test("upstreams that lose packets are asked as often as needed", () => {
  const simulation = world({ "10.0.0.1": answering(2), "10.0.0.2": answering(2) });
  askMany(simulation, 100, { forMs: 2 });
  simulation.lossPerMille = 200;
  const asked = askMany(simulation, 2000, { prefix: "m", forMs: 2 });
  simulation.run(6000);
  const late = asked.filter((one) => onlyAnswer(one).rcode !== "NOERROR" || waited(one) > 1000);
  assert.ok(late.length < 60, `${late.length} of 2000 late`);
});

Deno.test("an upstream that falls silent gets no queries before any query has timed out", () => {
  const simulation = world({ "10.0.0.1": answering(2), "10.0.0.2": answering(2) });
  askMany(simulation, 200, { forMs: 2 });
  simulation.upstream("10.0.0.1:53", silent);
  const first = askMany(simulation, 500, { prefix: "a", forMs: 2 });
  const from = simulation.seen.length;
  const later = askMany(simulation, 500, { prefix: "b", forMs: 2 });
  simulation.run(3000);
  assert.equal(sentTo(simulation, "10.0.0.1", from), 0);
  assert.deepEqual(rcodes(first), ["NOERROR"]);
  for (const one of first) assert.ok(waited(one) < 300, `${waited(one)} ms`);
  for (const one of later) assert.ok(waited(one) < 20, `${waited(one)} ms`);
});

Deno.test("a question without an answer does not make its upstream suspect", () => {
  const simulation = world({
    "10.0.0.1": (query, transport) =>
      query.questions![0]!.name.startsWith("hole") ? [] : answering(2)(query, transport),
    "10.0.0.2": answering(2, "192.0.2.8"),
  }, { policy: "sequential" });
  for (let i = 0; i < 300; i++) {
    if (i % 10 === 0) ask(simulation, { name: `hole${i}.example.org` });
    const asked = ask(simulation, { name: `n${i}.example.org`, forMs: 10 });
    assert.equal(addressIn(asked), "192.0.2.7");
  }
});

Deno.test("checks of a suspect upstream have jitter", () => {
  const times: number[] = [];
  const simulation = world({
    "10.0.0.1": (query) => {
      if (query.questions![0]!.type === "NS") times.push(simulation.nowMs);
      return "refuse";
    },
    "10.0.0.2": answering(2),
  });
  askMany(simulation, 20, { forMs: 5 });
  simulation.run(30_000);
  const gaps = times.slice(1).map((at, i) => at - times[i]!);
  assert.ok(gaps.length > 40, `${gaps.length} checks`);
  assert.ok(Math.min(...gaps) >= 375 && Math.max(...gaps) <= 630, `${gaps}`);
  assert.ok(Math.max(...gaps) - Math.min(...gaps) > 100, "no jitter");
});

Deno.test("an upstream that has recovered gets its queries back gradually", () => {
  const simulation = world({ "10.0.0.1": silent, "10.0.0.2": answering(2) });
  askMany(simulation, 500, { forMs: 10 });
  simulation.upstream("10.0.0.1:53", answering(2));
  simulation.run(800);
  const shares = [1, 2, 3, 4].map((round) => {
    const from = simulation.seen.length;
    askMany(simulation, 400, { prefix: `r${round}x`, forMs: 5 });
    return sentTo(simulation, "10.0.0.1", from) / 400;
  });
  assert.ok(shares[0]! < 0.3, `${shares}`);
  assert.ok(shares[0]! < shares[1]! && shares[1]! < shares[3]!, `${shares}`);
  assert.ok(shares[3]! > 0.4, `${shares}`);
});

Deno.test("while every upstream is down, queries fail quickly with a reason", () => {
  const simulation = world({ "10.0.0.1": silent, "10.0.0.2": silent }, {
    options: "read_timeout 300ms",
  });
  askMany(simulation, 10, { forMs: 10 });
  simulation.run(10_000);
  const asked = ask(simulation, { edns: 1232, forMs: 6000 });
  assert.equal(onlyAnswer(asked).rcode, "SERVFAIL");
  assert.ok(waited(asked) <= 510, `${waited(asked)} ms`);
  assert.deepEqual(errorCodes(onlyAnswer(asked)), [22]);
});

for (
  const [title, behaviour, code] of [["refusal", refusing, 23], ["silence", silent, 22]] as const
) {
  Deno.test(`${title} is Extended DNS Error ${code}`, () => {
    const asked = ask(world({ "10.0.0.1": behaviour }), { edns: 1232, forMs: 6000 });
    assert.deepEqual(errorCodes(onlyAnswer(asked)), [code]);
  });
}

const LIMITS: { options?: string; upstreams: Behaviour[]; attempts?: number }[] = [
  { upstreams: [silent] },
  { upstreams: [silent, silent, refusing] },
  { options: "max_fails 0", upstreams: [silent, silent] },
  { options: "hedge 5ms", upstreams: [answering(4900), silent] },
  { options: "max_connect_attempts 1", upstreams: [silent, silent], attempts: 1 },
  { options: "force_tcp", upstreams: [silent, refusing] },
];
for (const { options = "", upstreams, attempts = 2 * upstreams.length } of LIMITS) {
  Deno.test(`no query waits over 5 s or is sent too often: ${upstreams.length} upstreams ${options}`, () => {
    const entries = upstreams.map((upstream, i) => [`10.0.0.${i + 1}`, upstream]);
    const simulation = world(Object.fromEntries(entries), { options });
    const asked = askMany(simulation, 20, { forMs: 50 });
    simulation.run(10_000);
    for (const [i, query] of asked.entries()) {
      onlyAnswer(query);
      assert.ok(waited(query) <= 5000, `${waited(query)} ms`);
      const sent = sentFor(simulation, `n${i}.example.org `);
      assert.ok(sent <= attempts + 3, `n${i} sent ${sent} times`);
    }
    assert.equal(simulation.engine.waiting, 0);
  });
}

Deno.test("a connection past max_age takes no new queries", () => {
  const options = "force_tcp\n expire 1s\n max_age 2s";
  const simulation = world({ "10.0.0.1": answering(5) }, { options });
  askMany(simulation, 1000, { forMs: 10 });
  assert.ok(simulation.connects >= 5 && simulation.connects <= 7, `${simulation.connects}`);
});

Deno.test("10,000 queries a second over TCP use at most the allowed connections", () => {
  const simulation = world({ "10.0.0.1": answering(10) }, { options: "force_tcp" });
  const asked: Asked[] = [];
  for (let i = 0; i < 200; i++) {
    asked.push(...askMany(simulation, 10, { prefix: `n${i}x` }));
    simulation.run(1);
  }
  simulation.run(100);
  assert.deepEqual(rcodes(asked), ["NOERROR"]);
  assert.ok(simulation.connects <= 64, `${simulation.connects}`);
});

Deno.test("closing idle connections does not count as a failure of the server", () => {
  const options = "force_tcp\n expire 1h";
  const simulation = world({ "10.0.0.1": answering(2), "10.0.0.2": answering(2) }, { options });
  askMany(simulation, 10, { forMs: 10 });
  let closing = true;
  for (const address of ["10.0.0.1", "10.0.0.2"]) {
    simulation.upstream(`${address}:53`, (query, transport) => {
      if (!closing) return answering(2)(query, transport);
      closing = false;
      return "refuse";
    });
  }
  assert.equal(onlyAnswer(ask(simulation, { forMs: 1000 })).rcode, "NOERROR");
  assert.equal(simulation.count("nodens_upstream_failures_total"), 0);
});

Deno.test("when upstreams change, old queries finish and new ones go to the new servers", () => {
  const simulation = world({ "10.0.0.1": answering(50), "10.0.0.2": answering(50) });
  simulation.upstream("10.0.0.3:53", answering(2, "192.0.2.9"));
  const before = ask(simulation, { name: "before.example.org", forMs: 1 });
  deliver(simulation, ["10.0.0.3"], { position: 0, policy: "round_robin" });
  const after = ask(simulation, { name: "after.example.org", forMs: 200 });
  assert.deepEqual([before, after].map(addressIn), ["192.0.2.7", "192.0.2.9"]);
});

Deno.test("before any host name of TO is resolved, clients get Not Ready", () => {
  const simulation = new Simulation(". {\n errors\n cache\n forward . dns.example.net\n}");
  const early = onlyAnswer(ask(simulation, { edns: 1232 }));
  assert.equal(early.rcode, "SERVFAIL");
  assert.deepEqual(errorCodes(early), [14]);
  simulation.upstream("10.0.0.1:53", answering(2));
  deliver(simulation, ["10.0.0.1"], { position: 2, policy: "random" });
  assert.equal(onlyAnswer(ask(simulation, { forMs: 100 })).rcode, "NOERROR");
});
