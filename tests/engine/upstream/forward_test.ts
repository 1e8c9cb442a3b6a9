import assert from "node:assert/strict";
import { a, decode, queryBytes, responseBytes } from "../../support/messages/messages.ts";
import {
  addressIn,
  ask,
  askMany,
  forwarding,
  sentFor,
  sentTo,
  waited,
} from "../../support/simulation/forwarding.ts";
import {
  type Behaviour,
  frame,
  onlyAnswer,
  Simulation,
} from "../../support/simulation/simulation.ts";
import {
  answering,
  failing,
  overTcp,
  refusing,
  silent,
  toEdns,
} from "../../support/simulation/upstream_kinds.ts";

Deno.test("identical queries in flight are sent once, and all are answered", () => {
  const simulation = forwarding({ "10.0.0.1": answering(100) });
  const asked = Array.from(
    { length: 50 },
    (_, id) => ask(simulation, { name: id % 2 ? "www.example.org" : "WWW.example.ORG", id }),
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

const FAILOVERS = [
  { title: "hangs: after read_timeout", first: silent, withinMs: 319 },
  { title: "refuses: at once", first: refusing, withinMs: 19 },
];
for (const { title, first, withinMs } of FAILOVERS) {
  Deno.test(`forward fails over from an upstream that ${title}`, () => {
    const upstreams = { "10.0.0.1": first, "10.0.0.2": answering() };
    const simulation = forwarding(upstreams, { options: "read_timeout 300ms" });
    const asked = ask(simulation, { forMs: 1000 });
    assert.equal(onlyAnswer(asked).rcode, "NOERROR");
    assert.ok(waited(asked) <= withinMs, `${waited(asked)} ms`);
  });
}

Deno.test("if no upstream answers, the client gets SERVFAIL and the reason is logged", () => {
  const simulation = forwarding({ "10.0.0.1": silent });
  assert.equal(onlyAnswer(ask(simulation, { edns: 1232, forMs: 6000 })).rcode, "SERVFAIL");
  assert.match(simulation.logs.join("\n"), /2 www\.example\.org\. A: 10\.0\.0\.1:53: i\/o timeout/);
  simulation.run(2000);
  assert.equal(simulation.engine.waiting, 0);
});

for (const [transport, options] of [["udp", ""], ["tcp", "force_tcp"]] as const) {
  Deno.test(`health checks over ${transport}: a silent upstream gets no queries until it recovers`, () => {
    let up = false;
    const simulation = forwarding({
      "10.0.0.1": (query, transport) => up ? answering()(query, transport) : [],
      "10.0.0.2": answering(),
    }, { options: `${options}\nread_timeout 200ms` });
    ask(simulation, { forMs: 6000 });
    assert.ok(simulation.count("coredns_proxy_healthcheck_failures_total") >= 2);
    const before = sentTo(simulation, "10.0.0.1");
    assert.equal(onlyAnswer(ask(simulation, { forMs: 500 })).rcode, "NOERROR");
    assert.equal(sentTo(simulation, "10.0.0.1"), before);
    assert.ok(simulation.seen.includes(`${transport} 10.0.0.1:53 . NS`));
    up = true;
    simulation.run(8000);
    ask(simulation, { forMs: 500 });
    assert.equal(simulation.seen.at(-1), `${transport} 10.0.0.1:53 www.example.org A`);
  });
}

Deno.test("a truncated answer is fetched again over TCP, and the client gets it complete", () => {
  const truncated: Behaviour = (query) => [{ bytes: responseBytes(query, { truncated: true }) }];
  const simulation = forwarding({ "10.0.0.1": overTcp(answering(), truncated) });
  const answer = onlyAnswer(ask(simulation, { forMs: 100 }));
  assert.equal(answer.flag_tc, false);
  assert.equal(answer.answers!.length, 1);
  assert.deepEqual(simulation.seen.map((line) => line.slice(0, 3)), ["udp", "tcp"]);
});

Deno.test("forged, late and foreign replies are counted and ignored", () => {
  let round = 0;
  const simulation = forwarding({
    "10.0.0.1": (query) => {
      const right = responseBytes(query, { answers: [a(query.questions![0]!.name, "192.0.2.7")] });
      const otherId = responseBytes({ ...query, id: (query.id! + 1) & 0xffff }, {
        answers: [a(query.questions![0]!.name, "203.0.113.66")],
      });
      const otherName = responseBytes(query, {
        question: { name: "evil.example.org", type: "A", class: "IN" },
        answers: [a("evil.example.org", "203.0.113.66")],
      });
      const isQuery = right.slice();
      isQuery[2]! &= 0x7f;
      const wrong = [[otherId, otherName], [isQuery, right.slice(0, 7)]][round++]!;
      return [...wrong.map((bytes) => ({ bytes })), { bytes: right, delayMs: 5 }];
    },
  });
  for (const mismatches of [2, 4]) {
    assert.equal(addressIn(ask(simulation, { forMs: 100 })), "192.0.2.7");
    assert.equal(simulation.count("nodens_forward_mismatched_replies_total"), mismatches);
  }
});

Deno.test("a malformed reply is counted, and the next upstream is asked", () => {
  const malformed: Behaviour = (query) => {
    const answers = [a("www.example.org", "192.0.2.7")];
    const bytes = responseBytes(query, { answers, edns: false });
    return [{ bytes: bytes.slice(0, bytes.length - 2) }];
  };
  const simulation = forwarding({ "10.0.0.1": malformed, "10.0.0.2": answering() });
  assert.equal(onlyAnswer(ask(simulation, { forMs: 200 })).answers!.length, 1);
  assert.equal(simulation.count("nodens_forward_malformed_replies_total"), 1);
});

Deno.test("queries outstanding on a broken TCP connection are sent again", () => {
  let broken = false;
  const simulation = forwarding({
    "10.0.0.1": (query, transport) => {
      if (broken) return answering()(query, transport);
      broken = true;
      return "refuse";
    },
  }, { options: "force_tcp" });
  assert.equal(onlyAnswer(ask(simulation, { forMs: 1000 })).rcode, "NOERROR");
  assert.equal(sentFor(simulation, "www"), 2);
});

Deno.test("TCP answers may arrive in any order, on connections that are closed when idle", () => {
  const delay = (name: string) => 100 - Number(/\d+/.exec(name)![0]);
  const simulation = forwarding({ "10.0.0.1": answering(delay) }, { options: "force_tcp" });
  const asked = askMany(simulation, 40);
  simulation.run(300);
  asked.forEach((one, i) => assert.equal(onlyAnswer(one).questions![0]!.name, `n${i}.example.org`));
  assert.ok(simulation.openUpstream <= 40, `${simulation.openUpstream}`);
  simulation.run(15_000);
  assert.equal(simulation.openUpstream, 0);
});

Deno.test("a server without EDNS is asked again without OPT", () => {
  const simulation = forwarding({ "10.0.0.1": toEdns(failing(1), answering()) });
  assert.equal(onlyAnswer(ask(simulation, { forMs: 100 })).rcode, "NOERROR");
});

Deno.test("failover asks the next upstream, and the last answer is sent", () => {
  for (const [second, rcode] of [[answering(), "NOERROR"], [failing(5), "REFUSED"]] as const) {
    const upstreams = { "10.0.0.1": failing(5), "10.0.0.2": second };
    const simulation = forwarding(upstreams, { options: "failover REFUSED" });
    assert.equal(onlyAnswer(ask(simulation, { forMs: 100 })).rcode, rcode);
  }
});

Deno.test("next and except pass queries to the following forward", () => {
  const simulation = new Simulation(
    `. {
      forward . 10.0.0.1 {
        next NXDOMAIN
        except internal.example.org
      }
      forward . 10.0.0.2
    }`,
  );
  simulation.upstream("10.0.0.1:53", failing(3, "with-opt"));
  simulation.upstream("10.0.0.2:53", answering());
  assert.equal(onlyAnswer(ask(simulation, { forMs: 100 })).rcode, "NOERROR");
  assert.equal(simulation.seen.length, 2);
  onlyAnswer(ask(simulation, { name: "a.internal.example.org", forMs: 100 }));
  assert.equal(simulation.seen.length, 3);
});

Deno.test("queries beyond max_concurrent are refused", () => {
  const simulation = forwarding({ "10.0.0.1": silent }, { options: "max_concurrent 2" });
  const asked = askMany(simulation, 3);
  assert.equal(onlyAnswer(asked[2]!).rcode, "REFUSED");
  simulation.run(10_000);
  assert.equal(onlyAnswer(asked[0]!).rcode, "SERVFAIL");
});

Deno.test("queries beyond the limit get SERVFAIL, and cache hits are served", () => {
  const upstream: Behaviour = (query, transport) =>
    query.questions![0]!.name.startsWith("hit") ? answering()(query, transport) : [];
  const simulation = forwarding({ "10.0.0.1": upstream }, { before: "cache", maxExchanges: 4 });
  ask(simulation, { name: "hit.example.org", forMs: 10 });
  const asked = askMany(simulation, 6, { edns: 1232 });
  assert.equal(onlyAnswer(asked[5]!).rcode, "SERVFAIL");
  assert.equal(onlyAnswer(ask(simulation, { name: "hit.example.org" })).rcode, "NOERROR");
  simulation.run(10_000);
  assert.equal(simulation.engine.waiting, 0);
  assert.equal(simulation.keptCount, 0);
});

Deno.test("a query refused at the limit is not cached as a failure", () => {
  const simulation = forwarding({ "10.0.0.1": answering(20) }, {
    before: "cache",
    maxExchanges: 1,
  });
  ask(simulation, { name: "first.example.org" });
  const shed = ask(simulation, { name: "second.example.org", forMs: 100 });
  assert.equal(onlyAnswer(shed).rcode, "SERVFAIL");
  const again = ask(simulation, { name: "second.example.org", forMs: 100 });
  assert.equal(onlyAnswer(again).rcode, "NOERROR");
});

Deno.test("a TCP client can pipeline queries, send them in pieces, and half-close", () => {
  const simulation = forwarding({ "10.0.0.1": answering(20) }, { options: "prefer_udp" });
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

Deno.test("a TCP client without a query is closed after three seconds", () => {
  const simulation = forwarding({ "10.0.0.1": answering() });
  const stream = simulation.openStream();
  simulation.run(2900);
  assert.equal(stream.closed(), false);
  simulation.run(200);
  assert.equal(stream.closed(), true);
});

Deno.test("a TCP client is closed ten seconds after its last query", () => {
  const simulation = forwarding({ "10.0.0.1": answering() });
  const stream = simulation.openStream();
  simulation.run(2000);
  stream.send(frame(queryBytes({ name: "example.org" })));
  simulation.run(9900);
  assert.equal(stream.received.length, 1);
  assert.equal(stream.closed(), false);
  simulation.run(300);
  assert.equal(stream.closed(), true);
});

Deno.test("unlimited attempts end at the deadline without a busy loop", () => {
  const simulation = forwarding({ "10.0.0.1": refusing, "10.0.0.2": refusing }, {
    options: "max_connect_attempts 0",
  });
  const asked = ask(simulation, { forMs: 6000 });
  assert.equal(onlyAnswer(asked).rcode, "SERVFAIL");
  assert.ok(waited(asked) <= 5100);
  assert.ok(simulation.seen.length < 300, `${simulation.seen.length} queries`);
});

Deno.test("a TCP connection whose server has vanished is closed and replaced", () => {
  let vanished = false;
  const simulation = forwarding({
    "10.0.0.1": (query, transport) => vanished ? [] : answering()(query, transport),
  }, { options: "force_tcp\n read_timeout 500ms" });
  ask(simulation, { forMs: 50 });
  vanished = true;
  assert.equal(simulation.connects, 1);
  const asked = ask(simulation, { forMs: 450 });
  vanished = false;
  simulation.run(1000);
  assert.equal(onlyAnswer(asked).rcode, "NOERROR");
  assert.ok(simulation.connects >= 2);
});
