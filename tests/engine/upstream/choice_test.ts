import assert from "node:assert/strict";
import { a, queryBytes, responseBytes } from "../../support/messages/messages.ts";
import {
  type Asked,
  type Behaviour,
  onlyAnswer,
  Simulation,
} from "../../support/simulation/simulation.ts";

/** Answers with an address that names the upstream, after a delay. */
function after(delayMs: number, data = "192.0.2.7"): Behaviour {
  return (query) => [{
    bytes: responseBytes(query, { answers: [a(query.questions![0]!.name, data)] }),
    delayMs,
  }];
}
const silent: Behaviour = () => [];
const refusing: Behaviour = () => "refuse";

interface World {
  options?: string;
  upstreams: Record<string, Behaviour>;
  seed?: number;
}

function world({ options = "", upstreams, seed = 1 }: World): Simulation {
  const to = Object.keys(upstreams).join(" ");
  // What comes of a query is seen, however late.
  const corefile = `. {\n timeouts {\n discard 0\n }\n forward . ${to} {\n ${options}\n }\n}`;
  const simulation = new Simulation(corefile, { seed });
  for (const [address, behaviour] of Object.entries(upstreams)) {
    simulation.upstream(`${address}:53`, behaviour);
  }
  return simulation;
}

/** Asks `count` names, one every `everyMs`, then lets all come to an end. */
function load(simulation: Simulation, count: number, everyMs: number, prefix = "n"): Asked[] {
  const asked = Array.from({ length: count }, (_, i) => {
    const one = simulation.ask(queryBytes({ name: `${prefix}${i}.example.org`, edns: 1232 }));
    simulation.run(everyMs);
    return one;
  });
  return asked;
}

const waited = (asked: Asked) => asked.answers[0]!.atMs - asked.atMs;
const names = (simulation: Simulation, address: string, from = 0) =>
  simulation.seen.slice(from).filter((line) =>
    line.includes(` ${address}:53 `) && !line.endsWith(" . NS")
  ).length;

Deno.test("policy fastest keeps to the upstream that answers soonest", () => {
  const simulation = world({
    options: "policy fastest",
    upstreams: { "10.0.0.1": after(40), "10.0.0.2": after(3), "10.0.0.3": after(4) },
  });
  load(simulation, 50, 60);
  const from = simulation.seen.length;
  load(simulation, 200, 20, "m");
  assert.equal(names(simulation, "10.0.0.1", from), 0);
  // The two that are about as fast share the queries.
  assert.ok(names(simulation, "10.0.0.2", from) > 40);
  assert.ok(names(simulation, "10.0.0.3", from) > 40);
});

Deno.test("policy fastest goes on to measure the others, and follows a change", () => {
  let slow = 3;
  const simulation = world({
    options: "policy fastest",
    upstreams: {
      "10.0.0.1": (query, transport) => after(slow)(query, transport),
      "10.0.0.2": (query, transport) => after(60 - slow)(query, transport),
    },
  });
  load(simulation, 100, 50);
  slow = 57;
  load(simulation, 1000, 50, "m");
  const from = simulation.seen.length;
  load(simulation, 50, 50, "o");
  assert.equal(names(simulation, "10.0.0.1", from), 0);
  assert.equal(names(simulation, "10.0.0.2", from), 50);
});

Deno.test("a hedge asks a second upstream after the given time, and the first good answer wins", () => {
  const simulation = world({
    options: "policy sequential\n hedge 20ms",
    upstreams: { "10.0.0.1": after(2), "10.0.0.2": after(2, "192.0.2.8") },
  });
  load(simulation, 40, 5);
  simulation.upstream("10.0.0.1:53", after(150));
  const asked = simulation.ask(queryBytes({ name: "slow.example.org" }));
  simulation.run(1000);
  assert.equal((onlyAnswer(asked).answers![0] as { data: string }).data, "192.0.2.8");
  assert.ok(waited(asked) < 30, `${waited(asked)} ms`);
  assert.equal(simulation.count("nodens_forward_hedges_total"), 1);
});

Deno.test("a failure does not win against an answer that is still to come", () => {
  const simulation = world({
    options: "policy sequential\n hedge 20ms",
    upstreams: { "10.0.0.1": after(2), "10.0.0.2": after(2) },
  });
  load(simulation, 40, 5);
  simulation.upstream("10.0.0.1:53", after(100));
  simulation.upstream("10.0.0.2:53", (query) => [{ bytes: responseBytes(query, { rcode: 2 }) }]);
  const asked = simulation.ask(queryBytes({ name: "slow.example.org" }));
  simulation.run(1000);
  assert.equal(onlyAnswer(asked).rcode, "NOERROR");
});

Deno.test("hedges are at most one in twenty queries, however slow the first upstream is", () => {
  // By itself, it learns that 150 ms have become usual.
  for (const [hedge, least] of [["hedge 10ms", 40], ["hedge", 1]] as const) {
    const simulation = world({
      options: `policy sequential\n ${hedge}`,
      upstreams: { "10.0.0.1": after(30), "10.0.0.2": after(2) },
    });
    const asked = load(simulation, 100, 3);
    simulation.upstream("10.0.0.1:53", after(150));
    asked.push(...load(simulation, 900, 3, "m"));
    simulation.run(2000);
    for (const one of asked) assert.equal(onlyAnswer(one).rcode, "NOERROR");
    const hedges = simulation.count("nodens_forward_hedges_total");
    assert.ok(hedges >= least && hedges <= 50, `${hedge}: ${hedges} hedges in 1000 queries`);
  }
});

Deno.test("what may be lost is sent again after a while, within a budget", () => {
  let lost = 1;
  const simulation = world({
    upstreams: { "10.0.0.1": (query, transport) => lost-- > 0 ? [] : after(2)(query, transport) },
  });
  const asked = simulation.ask(queryBytes({ name: "www.example.org" }));
  simulation.run(3000);
  assert.equal(onlyAnswer(asked).rcode, "NOERROR");
  assert.ok(waited(asked) < 500, `${waited(asked)} ms`);
  // An upstream that is merely slow is not asked everything twice.
  const slow = world({ upstreams: { "10.0.0.1": after(1500) } });
  load(slow, 1000, 1);
  slow.run(6000);
  const resends = slow.count("nodens_forward_resends_total");
  assert.ok(resends <= 330, `${resends} of 1000 sent again`);
  // One that loses every third packet is asked as often as it takes.
  const lossy = world({ upstreams: { "10.0.0.1": after(2), "10.0.0.2": after(2) } });
  load(lossy, 100, 2);
  lossy.lossPerMille = 200;
  const all = load(lossy, 2000, 2, "m");
  lossy.run(6000);
  const late = all.filter((one) => onlyAnswer(one).rcode !== "NOERROR" || waited(one) > 1000);
  assert.ok(late.length < 60, `${late.length} of 2000 late`);
});

Deno.test("an upstream that falls silent is out before any query has timed out", () => {
  const simulation = world({ upstreams: { "10.0.0.1": after(2), "10.0.0.2": after(2) } });
  load(simulation, 200, 2);
  simulation.upstream("10.0.0.1:53", silent);
  const first = load(simulation, 500, 2, "a");
  const from = simulation.seen.length;
  const later = load(simulation, 500, 2, "b");
  simulation.run(3000);
  assert.equal(names(simulation, "10.0.0.1", from), 0);
  for (const one of first) {
    assert.equal(onlyAnswer(one).rcode, "NOERROR");
    assert.ok(waited(one) < 300, `${waited(one)} ms`);
  }
  for (const one of later) assert.ok(waited(one) < 20, `${waited(one)} ms`);
});

Deno.test("a question that is never answered does not take its upstream out", () => {
  const simulation = world({
    options: "policy sequential",
    upstreams: {
      "10.0.0.1": (query, transport) =>
        query.questions![0]!.name.startsWith("hole") ? [] : after(2)(query, transport),
      "10.0.0.2": after(2, "192.0.2.8"),
    },
  });
  for (let i = 0; i < 300; i++) {
    if (i % 10 === 0) simulation.ask(queryBytes({ name: `hole${i}.example.org` }));
    const asked = simulation.ask(queryBytes({ name: `n${i}.example.org` }));
    simulation.run(10);
    assert.equal((onlyAnswer(asked).answers![0] as { data: string }).data, "192.0.2.7");
  }
});

Deno.test("checks of an upstream that is out are spread in time", () => {
  const times: number[] = [];
  const simulation = world({
    upstreams: { "10.0.0.1": refusing, "10.0.0.2": after(2) },
  });
  simulation.upstream("10.0.0.1:53", (query) => {
    if (query.questions![0]!.type === "NS") times.push(simulation.nowMs);
    return "refuse";
  });
  load(simulation, 20, 5);
  simulation.run(30_000);
  const gaps = times.slice(1).map((at, i) => at - times[i]!);
  assert.ok(gaps.length > 40, `${gaps.length} checks`);
  assert.ok(Math.min(...gaps) >= 375 && Math.max(...gaps) <= 630, `${gaps}`);
  assert.ok(Math.max(...gaps) - Math.min(...gaps) > 100, "no jitter");
});

Deno.test("an upstream that is back gets its queries gradually", () => {
  const simulation = world({ upstreams: { "10.0.0.1": after(2), "10.0.0.2": after(2) } });
  simulation.upstream("10.0.0.1:53", silent);
  load(simulation, 500, 10);
  simulation.upstream("10.0.0.1:53", after(2));
  simulation.run(800);
  const shares = [1, 2, 3, 4].map((round) => {
    const from = simulation.seen.length;
    load(simulation, 400, 5, `r${round}x`);
    return names(simulation, "10.0.0.1", from) / 400;
  });
  assert.ok(shares[0]! < 0.3, `${shares}`);
  assert.ok(shares[0]! < shares[1]! && shares[1]! < shares[3]!, `${shares}`);
  assert.ok(shares[3]! > 0.4, `${shares}`);
});

Deno.test("with every upstream down the failure comes quickly and says why", () => {
  const simulation = world({
    options: "read_timeout 300ms",
    upstreams: { "10.0.0.1": silent, "10.0.0.2": silent },
  });
  load(simulation, 10, 10);
  simulation.run(10_000);
  const asked = simulation.ask(queryBytes({ name: "www.example.org", edns: 1232 }));
  simulation.run(6000);
  const answer = onlyAnswer(asked);
  assert.equal(answer.rcode, "SERVFAIL");
  assert.ok(waited(asked) <= 510, `${waited(asked)} ms`);
  assert.equal(extendedError(answer), 22);
});

Deno.test("refused and malformed replies are a network error, silence no reachable authority", () => {
  for (const [behaviour, code] of [[refusing, 23], [silent, 22]] as const) {
    const simulation = world({ upstreams: { "10.0.0.1": behaviour } });
    const asked = simulation.ask(queryBytes({ name: "www.example.org", edns: 1232 }));
    simulation.run(6000);
    assert.equal(extendedError(onlyAnswer(asked)), code);
  }
});

Deno.test("no query waits longer than five seconds or asks more often than documented", () => {
  const worlds: World[] = [
    { upstreams: { "10.0.0.1": silent } },
    { upstreams: { "10.0.0.1": silent, "10.0.0.2": silent, "10.0.0.3": refusing } },
    { options: "max_fails 0", upstreams: { "10.0.0.1": silent, "10.0.0.2": silent } },
    { options: "hedge 5ms", upstreams: { "10.0.0.1": after(4900), "10.0.0.2": silent } },
    { options: "max_connect_attempts 1", upstreams: { "10.0.0.1": silent, "10.0.0.2": silent } },
    { options: "force_tcp", upstreams: { "10.0.0.1": silent, "10.0.0.2": refusing } },
  ];
  for (const one of worlds) {
    const simulation = world(one);
    const asked = load(simulation, 20, 50);
    simulation.run(10_000);
    for (const [i, query] of asked.entries()) {
      onlyAnswer(query);
      assert.ok(waited(query) <= 5000, `${one.options}: ${waited(query)} ms`);
      const limit = one.options === "max_connect_attempts 1"
        ? 1
        : 2 * Object.keys(one.upstreams).length;
      const sent = simulation.seen.filter((line) => line.includes(` n${i}.example.org `)).length;
      assert.ok(sent <= limit + 3, `${one.options}: n${i} asked ${sent} times`);
    }
    assert.equal(simulation.engine.waiting, 0);
  }
});

Deno.test("a connection past max_age takes no new queries", () => {
  const simulation = world({
    options: "force_tcp\n expire 1s\n max_age 2s",
    upstreams: { "10.0.0.1": after(5) },
  });
  load(simulation, 1000, 10);
  // Ten seconds in lives of 1.6 to 2 seconds.
  assert.ok(simulation.connects >= 5 && simulation.connects <= 7, `${simulation.connects}`);
});

Deno.test("10,000 queries a second over TCP take no more connections than allowed", () => {
  const simulation = world({ options: "force_tcp", upstreams: { "10.0.0.1": after(10) } });
  const asked: Asked[] = [];
  for (let i = 0; i < 200; i++) {
    for (let j = 0; j < 10; j++) {
      asked.push(simulation.ask(queryBytes({ name: `n${i}x${j}.example.org` })));
    }
    simulation.run(1);
  }
  simulation.run(100);
  for (const one of asked) assert.equal(onlyAnswer(one).rcode, "NOERROR");
  assert.ok(simulation.connects <= 64, `${simulation.connects}`);
});

Deno.test("a server that closes idle connections does not count as failing", () => {
  const simulation = world({
    options: "force_tcp\n expire 1h",
    upstreams: { "10.0.0.1": after(2), "10.0.0.2": after(2) },
  });
  load(simulation, 10, 10);
  let closing = true;
  for (const address of ["10.0.0.1", "10.0.0.2"]) {
    simulation.upstream(`${address}:53`, (query, transport) => {
      if (!closing) return after(2)(query, transport);
      closing = false;
      return "refuse";
    });
  }
  const asked = simulation.ask(queryBytes({ name: "www.example.org" }));
  simulation.run(1000);
  assert.equal(onlyAnswer(asked).rcode, "NOERROR");
  assert.equal(simulation.count("nodens_upstream_failures_total"), 0);
});

Deno.test("the list of upstreams changes under way: old questions end, new ones go to new servers", () => {
  const simulation = world({ upstreams: { "10.0.0.1": after(50), "10.0.0.2": after(50) } });
  simulation.upstream("10.0.0.3:53", after(2, "192.0.2.9"));
  const before = simulation.ask(queryBytes({ name: "before.example.org" }));
  simulation.run(1);
  simulation.engine.deliver(0, 0, {
    upstreams: [{ address: "10.0.0.3", port: 53, transport: "dns", serverName: "" }],
    readTimeoutMs: 1000,
    maxConnectAttempts: 3,
    policy: "round_robin",
  });
  const asked = simulation.ask(queryBytes({ name: "after.example.org" }));
  simulation.run(200);
  assert.equal((onlyAnswer(before).answers![0] as { data: string }).data, "192.0.2.7");
  assert.equal((onlyAnswer(asked).answers![0] as { data: string }).data, "192.0.2.9");
});

Deno.test("before any name of TO is resolved the client is told that it is too early", () => {
  const simulation = new Simulation(". {\n errors\n cache\n forward . dns.example.net\n}");
  const early = simulation.ask(queryBytes({ name: "www.example.org", edns: 1232 }));
  assert.equal(onlyAnswer(early).rcode, "SERVFAIL");
  assert.equal(extendedError(onlyAnswer(early)), 14);
  simulation.upstream("10.0.0.1:53", after(2));
  simulation.engine.deliver(0, 2, {
    upstreams: [{ address: "10.0.0.1", port: 53, transport: "dns", serverName: "" }],
    readTimeoutMs: 1000,
    maxConnectAttempts: null,
    policy: "random",
  });
  const asked = simulation.ask(queryBytes({ name: "www.example.org" }));
  simulation.run(100);
  assert.equal(onlyAnswer(asked).rcode, "NOERROR");
});

function extendedError(answer: ReturnType<typeof onlyAnswer>): number {
  const opt = answer.additionals!.find(({ type }) => type === "OPT") as unknown as {
    options: { code: number; data: Uint8Array }[];
  };
  const error = opt.options.find(({ code }) => code === 15);
  return error === undefined ? -1 : error.data[0]! * 256 + error.data[1]!;
}
