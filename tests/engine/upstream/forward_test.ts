import assert from "node:assert/strict";
import { a, decode, queryBytes, responseBytes } from "../../support/messages/messages.ts";
import {
  type Behaviour,
  frame,
  onlyAnswer,
  Simulation,
} from "../../support/simulation/simulation.ts";

const good: Behaviour = (query) => [{
  bytes: responseBytes(query, { answers: [a(query.questions![0]!.name, "192.0.2.7")] }),
}];
const silent: Behaviour = () => [];
const refusing: Behaviour = () => "refuse";

function start(options: string, upstreams: Record<string, Behaviour>, seed = 1): Simulation {
  const to = Object.keys(upstreams).join(" ");
  const corefile = `. {\n errors\n forward . ${to} {\n policy sequential\n ${options}\n }\n}`;
  const simulation = new Simulation(corefile, { seed });
  for (const [address, behaviour] of Object.entries(upstreams)) {
    simulation.upstream(`${address}:53`, behaviour);
  }
  return simulation;
}

function ask(simulation: Simulation, forMs = 6000, options = {}) {
  const asked = simulation.ask(queryBytes({ name: "www.example.org", ...options }));
  simulation.run(forMs);
  return asked;
}

Deno.test("identical queries in flight are asked once and all answered", () => {
  const simulation = start("", {
    "10.0.0.1": (query) => [{
      bytes: responseBytes(query, { answers: [a("www.example.org", "192.0.2.7")] }),
      delayMs: 100,
    }],
  });
  const asked = Array.from(
    { length: 50 },
    (_, id) =>
      simulation.ask(queryBytes({ name: id % 2 ? "www.example.org" : "WWW.example.ORG", id })),
  );
  simulation.run(200);
  assert.equal(simulation.seen.length, 1);
  asked.forEach((one, id) => {
    const answer = onlyAnswer(one);
    assert.equal(answer.id, id);
    assert.equal(answer.questions![0]!.name, id % 2 ? "www.example.org" : "WWW.example.ORG");
    assert.equal(answer.answers!.length, 1);
  });
  assert.equal(simulation.count("nodens_forward_coalesced_total"), 49);
});

Deno.test("an upstream that hangs is given up after read_timeout, and the next one asked", () => {
  const simulation = start("read_timeout 300ms", { "10.0.0.1": silent, "10.0.0.2": good });
  const asked = ask(simulation, 1000);
  assert.equal(onlyAnswer(asked).rcode, "NOERROR");
  assert.equal(asked.answers[0]!.atMs - asked.atMs < 320, true);
});

Deno.test("an upstream that refuses is passed over at once", () => {
  const simulation = start("", { "10.0.0.1": refusing, "10.0.0.2": good });
  const asked = ask(simulation, 1000);
  assert.equal(asked.answers[0]!.atMs - asked.atMs < 20, true);
});

Deno.test("with no upstream answering the client gets SERVFAIL, the log the reason", () => {
  const simulation = start("", { "10.0.0.1": silent });
  const answer = onlyAnswer(ask(simulation, 6000, { edns: 1232 }));
  assert.equal(answer.rcode, "SERVFAIL");
  assert.match(simulation.logs.join("\n"), /2 www\.example\.org\. A: 10\.0\.0\.1:53: i\/o timeout/);
  simulation.run(2000);
  assert.equal(simulation.engine.waiting, 0);
});

Deno.test("health checks take an upstream out, and back when it answers", () => {
  let up = false;
  const simulation = start("read_timeout 200ms", {
    "10.0.0.1": (query, transport) => up ? good(query, transport) : [],
    "10.0.0.2": good,
  });
  ask(simulation, 5000);
  const before = simulation.seen.filter((line) => line.includes("10.0.0.1:53 www")).length;
  assert.equal(onlyAnswer(ask(simulation, 400)).rcode, "NOERROR");
  assert.equal(simulation.seen.filter((line) => line.includes("10.0.0.1:53 www")).length, before);
  assert.equal(simulation.seen.some((line) => line === "udp 10.0.0.1:53 . NS"), true);
  up = true;
  // Once it answers its checks, it gets its queries back over some seconds.
  simulation.run(8000);
  ask(simulation, 400);
  assert.equal(simulation.seen.at(-1), "udp 10.0.0.1:53 www.example.org A");
});

Deno.test("a truncated answer is asked again over TCP, and the whole answer given", () => {
  const simulation = start("", {
    "10.0.0.1": (query, transport) => [{
      bytes: transport === "udp"
        ? responseBytes(query, { truncated: true })
        : responseBytes(query, { answers: [a("www.example.org", "192.0.2.7")] }),
    }],
  });
  const answer = onlyAnswer(ask(simulation, 100));
  assert.equal(answer.flag_tc, false);
  assert.equal(answer.answers!.length, 1);
  assert.deepEqual(simulation.seen.map((line) => line.slice(0, 3)), ["udp", "tcp"]);
});

Deno.test("forged, late and foreign replies are counted, and the wait goes on", () => {
  let turn = 0;
  const simulation = start("", {
    "10.0.0.1": (query) => {
      const name = query.questions![0]!.name;
      const right = responseBytes(query, { answers: [a(name, "192.0.2.7")] });
      const otherId = responseBytes({ ...query, id: (query.id! + 1) & 0xffff }, {
        answers: [a(name, "203.0.113.66")],
      });
      const otherName = responseBytes(query, {
        question: { name: "evil.example.org", type: "A", class: "IN" },
        answers: [a("evil.example.org", "203.0.113.66")],
      });
      const isQuery = right.slice();
      isQuery[2]! &= 0x7f;
      const wrong = [[otherId, otherName], [isQuery, right.slice(0, 7)]][turn++]!;
      return [
        ...wrong.map((bytes) => ({ bytes, delayMs: 1 })),
        { bytes: right, delayMs: 5 },
      ];
    },
  });
  for (const mismatches of [2, 4]) {
    const answer = onlyAnswer(ask(simulation, 100));
    assert.equal((answer.answers![0] as { data: string }).data, "192.0.2.7");
    assert.equal(simulation.count("nodens_forward_mismatched_replies_total"), mismatches);
  }
});

Deno.test("a malformed reply is counted and the next upstream asked", () => {
  const simulation = start("", {
    "10.0.0.1": (query) => {
      const bytes = responseBytes(query, {
        answers: [a("www.example.org", "192.0.2.7")],
        edns: false,
      });
      return [{ bytes: bytes.slice(0, bytes.length - 2) }];
    },
    "10.0.0.2": good,
  });
  assert.equal(onlyAnswer(ask(simulation, 200)).answers!.length, 1);
  assert.equal(simulation.count("nodens_forward_malformed_replies_total"), 1);
});

Deno.test("queries outstanding on a broken TCP connection are asked again", () => {
  let broken = false;
  const simulation = start("force_tcp", {
    "10.0.0.1": (query, transport) => {
      if (broken) return good(query, transport);
      broken = true;
      return "refuse";
    },
  });
  assert.equal(onlyAnswer(ask(simulation, 1000)).rcode, "NOERROR");
  assert.equal(simulation.seen.filter((line) => line.includes("www")).length, 2);
});

Deno.test("TCP answers may come in any order, on connections that are closed when idle", () => {
  const simulation = start("force_tcp", {
    "10.0.0.1": (query) => {
      const { name } = query.questions![0]!;
      const delayMs = 100 - Number(/\d+/.exec(name)![0]);
      return [{ bytes: responseBytes(query, { answers: [a(name, "192.0.2.7")] }), delayMs }];
    },
  });
  const asked = Array.from(
    { length: 40 },
    (_, i) => simulation.ask(queryBytes({ name: `n${i}.example.org` })),
  );
  simulation.run(300);
  asked.forEach((one, i) => assert.equal(onlyAnswer(one).questions![0]!.name, `n${i}.example.org`));
  assert.ok(simulation.openUpstream <= 40, `${simulation.openUpstream}`);
  simulation.run(15_000);
  assert.equal(simulation.openUpstream, 0);
});

Deno.test("a server from before EDNS is asked again without OPT", () => {
  const simulation = start("", {
    "10.0.0.1": (query, transport) =>
      query.additionals!.length > 0
        ? [{ bytes: responseBytes(query, { rcode: 1, edns: false }) }]
        : good(query, transport),
  });
  assert.equal(onlyAnswer(ask(simulation, 100)).rcode, "NOERROR");
});

Deno.test("failover tries the next upstream; the last answer stands", () => {
  const failing: Behaviour = (query) => [{ bytes: responseBytes(query, { rcode: 5 }) }];
  const simulation = start("failover REFUSED", { "10.0.0.1": failing, "10.0.0.2": good });
  assert.equal(onlyAnswer(ask(simulation, 100)).rcode, "NOERROR");
  const both = start("failover REFUSED", { "10.0.0.1": failing, "10.0.0.2": failing });
  assert.equal(onlyAnswer(ask(both, 100)).rcode, "REFUSED");
});

Deno.test("next and except pass queries to the forward behind", () => {
  const simulation = new Simulation(
    `. {
      forward . 10.0.0.1 {
        next NXDOMAIN
        except internal.example.org
      }
      forward . 10.0.0.2
    }`,
  );
  simulation.upstream("10.0.0.1:53", (query) => [{ bytes: responseBytes(query, { rcode: 3 }) }]);
  simulation.upstream("10.0.0.2:53", good);
  assert.equal(onlyAnswer(ask(simulation, 100)).rcode, "NOERROR");
  assert.equal(simulation.seen.length, 2);
  onlyAnswer(ask(simulation, 100, { name: "a.internal.example.org" }));
  assert.equal(simulation.seen.length, 3);
});

Deno.test("max_concurrent refuses what is too much", () => {
  const simulation = start("max_concurrent 2", { "10.0.0.1": silent });
  const asked = [1, 2, 3].map((i) => simulation.ask(queryBytes({ name: `n${i}.example.org` })));
  assert.equal(onlyAnswer(asked[2]!).rcode, "REFUSED");
  simulation.run(10_000);
  assert.equal(onlyAnswer(asked[0]!).rcode, "SERVFAIL");
});

Deno.test("queries beyond what may wait are shed with SERVFAIL, hits still served", () => {
  const simulation = new Simulation(". {\n cache\n forward . 10.0.0.1\n}", { maxExchanges: 4 });
  simulation.upstream(
    "10.0.0.1:53",
    (query, transport) => query.questions![0]!.name.startsWith("hit") ? good(query, transport) : [],
  );
  simulation.ask(queryBytes({ name: "hit.example.org" }));
  simulation.run(10);
  const asked = Array.from(
    { length: 6 },
    (_, i) => simulation.ask(queryBytes({ name: `n${i}.example.org`, edns: 1232 })),
  );
  assert.equal(onlyAnswer(asked[5]!).rcode, "SERVFAIL");
  assert.equal(
    onlyAnswer(simulation.ask(queryBytes({ name: "hit.example.org" }))).rcode,
    "NOERROR",
  );
  simulation.run(10_000);
  assert.equal(simulation.engine.waiting, 0);
  assert.equal(simulation.keptCount, 0);
});

Deno.test("TCP clients: pipelined, in pieces, half-closed", () => {
  const simulation = start("prefer_udp", {
    "10.0.0.1": (query) => [{
      bytes: responseBytes(query, { answers: [a(query.questions![0]!.name, "192.0.2.7")] }),
      delayMs: 20,
    }],
  });
  const stream = simulation.openStream();
  const frames = [1, 2, 3].map((id) => frame(queryBytes({ name: `n${id}.example.org`, id })));
  const all = Uint8Array.from(frames.flatMap((one) => [...one]));
  stream.send(all.slice(0, 1));
  stream.send(all.slice(1, 40));
  stream.send(all.slice(40));
  stream.end();
  assert.equal(stream.closed(), false);
  simulation.run(100);
  assert.deepEqual(stream.received.map((bytes) => decode(bytes).id).sort(), [1, 2, 3]);
  assert.equal(stream.closed(), true);
  assert.equal(simulation.engine.streams.size, 0);
});

Deno.test("a TCP client that asks nothing is closed after three seconds", () => {
  const simulation = start("", { "10.0.0.1": good });
  const stream = simulation.openStream();
  simulation.run(2900);
  assert.equal(stream.closed(), false);
  simulation.run(200);
  assert.equal(stream.closed(), true);
});

Deno.test("a TCP client that asks no more is closed after ten seconds", () => {
  const simulation = start("", { "10.0.0.1": good });
  const stream = simulation.openStream();
  simulation.run(2000);
  stream.send(frame(queryBytes({ name: "example.org" })));
  simulation.run(9900);
  assert.equal(stream.received.length, 1);
  assert.equal(stream.closed(), false);
  simulation.run(300);
  assert.equal(stream.closed(), true);
});

Deno.test("attempts without a limit end at the deadline and do not spin", () => {
  const simulation = start("max_connect_attempts 0", {
    "10.0.0.1": refusing,
    "10.0.0.2": refusing,
  });
  const asked = ask(simulation, 6000);
  assert.equal(onlyAnswer(asked).rcode, "SERVFAIL");
  assert.ok(asked.answers[0]!.atMs - asked.atMs <= 5100);
  assert.ok(simulation.seen.length < 300, `${simulation.seen.length} queries`);
});

Deno.test("a TCP connection whose peer has vanished is closed, and queries find a new one", () => {
  let vanished = false;
  const simulation = start("force_tcp\n read_timeout 500ms", {
    "10.0.0.1": (query, transport) => vanished ? [] : good(query, transport),
  });
  ask(simulation, 50);
  vanished = true;
  assert.equal(simulation.connects, 1);
  const asked = ask(simulation, 450);
  vanished = false;
  simulation.run(1000);
  assert.equal(onlyAnswer(asked).rcode, "NOERROR");
  assert.ok(simulation.connects >= 2);
});

Deno.test("with force_tcp, health checks go over TCP and count their timeouts", () => {
  let up = false;
  const simulation = start("force_tcp\n read_timeout 200ms", {
    "10.0.0.1": (query, transport) => up ? good(query, transport) : [],
    "10.0.0.2": good,
  });
  ask(simulation, 6000);
  assert.ok(simulation.count("coredns_proxy_healthcheck_failures_total") >= 2);
  const before = simulation.seen.filter((line) => line.includes("10.0.0.1:53 www")).length;
  ask(simulation, 500);
  assert.equal(simulation.seen.filter((line) => line.includes("10.0.0.1:53 www")).length, before);
  up = true;
  simulation.run(4000);
  ask(simulation, 500);
  assert.equal(simulation.seen.at(-1), "tcp 10.0.0.1:53 www.example.org A");
});

Deno.test("a query that was shed is not remembered as a failure", () => {
  const simulation = new Simulation(". {\n cache\n forward . 10.0.0.1\n}", { maxExchanges: 1 });
  simulation.upstream("10.0.0.1:53", (query) => [{
    bytes: responseBytes(query, { answers: [a(query.questions![0]!.name, "192.0.2.7")] }),
    delayMs: 20,
  }]);
  simulation.ask(queryBytes({ name: "first.example.org" }));
  const shed = simulation.ask(queryBytes({ name: "second.example.org" }));
  assert.equal(onlyAnswer(shed).rcode, "SERVFAIL");
  simulation.run(100);
  const again = simulation.ask(queryBytes({ name: "second.example.org" }));
  simulation.run(100);
  assert.equal(onlyAnswer(again).rcode, "NOERROR");
});
