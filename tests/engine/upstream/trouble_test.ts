import assert from "node:assert/strict";
import { Memory } from "../../../src/engine/memory.ts";
import type { Endpoint, StreamHandler } from "../../../src/engine/io.ts";
import { a, decode, errorCodes, responseBytes } from "../../support/messages/messages.ts";
import {
  ask,
  askMany,
  checksOf,
  cookieOf,
  deliver,
  FewSockets,
  forwarding,
  rcodes,
  sentFor,
  sentTo,
  serverCookie,
  waited,
} from "../../support/simulation/forwarding.ts";
import {
  type Asked,
  type Behaviour,
  onlyAnswer,
  Simulation,
} from "../../support/simulation/simulation.ts";
import {
  answering,
  both,
  closing,
  overTcp,
  refusing,
  silent,
} from "../../support/simulation/upstream_kinds.ts";

/** Never answers names with this prefix. */
const silentFor = (prefix: string): Behaviour => (query, transport) =>
  query.questions![0]!.name.startsWith(prefix) ? [] : answering()(query, transport);

Deno.test("a lookup that pauses at its deadline during an attempt still ends", () => {
  const hung: number[] = [];
  for (let readTimeout = 200; readTimeout <= 2400; readTimeout += 10) {
    const options = `max_connect_attempts 0\nread_timeout ${readTimeout}ms`;
    const simulation = forwarding({ "10.0.0.1": silent, "10.0.0.2": silent }, { options });
    const asked = ask(simulation, { forMs: 60_000 });
    if (asked.answers.length !== 1 || simulation.engine.waiting !== 0) hung.push(readTimeout);
  }
  assert.deepEqual(hung, []);
});

Deno.test("a query that would time out at once is not sent, and is not a failure of the upstream", () => {
  const options = "read_timeout 100ms";
  const simulation = forwarding({ "10.0.0.1": silentFor("never"), "10.0.0.2": answering(5) }, {
    options,
  });
  askMany(simulation, 50, { forMs: 10 });
  const asked = ask(simulation, { name: "never.example.org" });
  askMany(simulation, 30, { prefix: "m", forMs: 10 });
  assert.equal(onlyAnswer(asked).rcode, "NOERROR");
  assert.equal(checksOf(simulation, "10.0.0.2"), 0);
  assert.equal(sentFor(simulation, "never"), 2);
});

Deno.test("an outstanding query fails over from a silent upstream once, not twice", () => {
  const simulation = forwarding({ "10.0.0.1": silent, "10.0.0.2": answering(20) });
  assert.equal(onlyAnswer(ask(simulation, { forMs: 1000 })).rcode, "NOERROR");
  assert.equal(sentTo(simulation, "10.0.0.2"), 1);
});

const BESIDE_SILENCE: { title: string; second: Behaviour; withinMs: number }[] = [
  { title: "a refused attempt", second: overTcp(silent, refusing), withinMs: 499 },
  { title: "a second silent upstream", second: silent, withinMs: 1000 },
];
for (const { title, second, withinMs } of BESIDE_SILENCE) {
  Deno.test(`${title} beside a silent upstream fails over long before a timeout`, () => {
    const simulation = forwarding({
      "10.0.0.1": silent,
      "10.0.0.2": second,
      "10.0.0.3": answering(),
    });
    const asked = askMany(simulation, 150);
    simulation.run(6000);
    const longest = Math.max(...asked.map(waited));
    assert.ok(longest <= withinMs, `waited ${longest} ms`);
  });
}

Deno.test("cookies stay on when a server that knows them rejects one query as malformed", () => {
  const cookies: (Uint8Array | null)[] = [];
  const simulation = forwarding({
    "10.0.0.1": (query) => {
      cookies.push(cookieOf(query));
      const rcode = query.questions![0]!.name.startsWith("bad") ? 1 : 0;
      return [{ bytes: responseBytes(query, { rcode, options: serverCookie(query) }) }];
    },
  });
  for (const name of ["a.example.org", "bad.example.org", "b.example.org"]) {
    ask(simulation, { name, forMs: 100 });
  }
  assert.ok(cookies.at(-1) !== null, "one FORMERR has switched cookies off for good");
});

Deno.test("with x20 a reply with another case is ignored", () => {
  // A forger who has guessed port and id need not guess letters here.
  const forger: Behaviour = (query) => {
    const bare = new Uint8Array(12);
    bare.set([query.id! >> 8, query.id! & 255, 0x81, 0x83]);
    return [{ bytes: bare }];
  };
  const upstream = overTcp(answering(), both(forger, answering(5)));
  const simulation = forwarding({ "10.0.0.1": upstream }, { options: "x20" });
  const asked = ask(simulation, { name: "averylongname.example.org", forMs: 3000 });
  assert.equal(onlyAnswer(asked).rcode, "NOERROR");
});

Deno.test("a reply truncated over TCP fails over, and the client gets a complete message", () => {
  const truncated: Behaviour = (query) => {
    const { name } = query.questions![0]!;
    const answers = [a(name, "192.0.2.7"), a(name, "192.0.2.8")];
    const whole = responseBytes(query, { truncated: true, answers, edns: false });
    return [{ bytes: whole.slice(0, whole.length - 4) }];
  };
  const simulation = forwarding({ "10.0.0.1": truncated, "10.0.0.2": answering() });
  const asked = ask(simulation, { forMs: 3000 });
  const { bytes } = asked.answers[0]!;
  const counts = (bytes[6]! << 8) | bytes[7]!;
  assert.doesNotThrow(() => decode(bytes), `ANCOUNT ${counts} in ${bytes.length} octets`);
  assert.equal(decode(bytes).flag_tc, false, "TC to the client, although TCP was used upstream");
});

for (const rcode of [7, 0]) {
  Deno.test(`clients never get ${rcode === 7 ? "BADCOOKIE" : "BADVERS"}`, () => {
    const simulation = forwarding({
      "10.0.0.1": (query) => [{
        bytes: responseBytes(query, { rcode, extendedRcode: 1, options: serverCookie(query) }),
      }],
      "10.0.0.2": answering(),
    });
    const answer = onlyAnswer(ask(simulation, { edns: 1232, forMs: 3000 }));
    const opt = answer.additionals!.find(({ type }) => type === "OPT") as unknown as {
      extendedRcode: number;
    };
    assert.equal(opt.extendedRcode, 0, `the client got rcode ${opt.extendedRcode * 16 + rcode}`);
  });
}

Deno.test("a lack of sockets does not count as an upstream's failure", () => {
  const simulation = forwarding({ "10.0.0.1": answering(50), "10.0.0.2": answering(50) }, {
    Class: FewSockets,
    policy: "round_robin",
  });
  simulation.sockets = 100;
  // Replies arrive all the time: the upstreams are healthy.
  for (let i = 0; i < 4000; i++) {
    ask(simulation, { name: `n${i}.example.org`, forMs: i % 4 === 0 ? 1 : 0 });
  }
  simulation.run(10_000);
  const checks = checksOf(simulation, "10.0.0.1") + checksOf(simulation, "10.0.0.2");
  const failed = simulation.count("coredns_proxy_healthcheck_failures_total");
  assert.ok(checks + failed <= 4, `${checks} checks sent, ${failed} counted as failed`);
});

/** A greedy client asks for unanswered names; returns the queries of another client. */
function besideGreed(simulation: Simulation, names: number, everyMs: number): Asked[] {
  const others: Asked[] = [];
  for (let i = 0; i < names; i++) {
    ask(simulation, { name: `slow${i}.example.org`, client: "192.0.2.66" });
    if (i % everyMs === 0) simulation.run(1);
    if (i % 60 > 0) continue;
    others.push(ask(simulation, { name: `fast${i}.example.org`, client: "192.0.2.200" }));
  }
  simulation.run(10_000);
  return others;
}

Deno.test("one client cannot use all connections of an upstream", () => {
  const simulation = forwarding({ "10.0.0.1": silentFor("slow") }, { options: "force_tcp" });
  assert.deepEqual(rcodes(besideGreed(simulation, 9000, 6)), ["NOERROR"]);
});

Deno.test("one client cannot use all sockets", () => {
  const simulation = forwarding({ "10.0.0.1": silentFor("slow") }, {
    Class: FewSockets,
    maxExchanges: 384,
  });
  // The Linux driver's number for 1024 descriptors.
  simulation.sockets = 512;
  assert.deepEqual(rcodes(besideGreed(simulation, 3000, 3)), ["NOERROR"]);
});

Deno.test("policy fastest with max_fails 0 leaves an upstream that never answered", () => {
  const simulation = forwarding({ "10.0.0.1": silent, "10.0.0.2": answering(10) }, {
    options: "max_fails 0\nread_timeout 500ms",
    policy: "fastest",
  });
  const asked = askMany(simulation, 200, { forMs: 600 }).slice(20);
  const slow = asked.filter((one) => one.answers.length === 0 || waited(one) > 50).length;
  assert.ok(slow < 90, `${slow} of 180 queries went to the dead one first`);
});

Deno.test("policy fastest with max_fails 0 does not check a refusing upstream at every query", () => {
  const simulation = forwarding({ "10.0.0.1": refusing, "10.0.0.2": answering(1) }, {
    options: "max_fails 0",
    policy: "fastest",
  });
  askMany(simulation, 500, { forMs: 4 });
  const checks = checksOf(simulation, "10.0.0.1");
  assert.ok(checks <= 10, `${checks} checks within two seconds`);
});

Deno.test("an unanswered measurement does not close a working connection", () => {
  const simulation = forwarding({
    "10.0.0.1": (query, transport) =>
      query.questions![0]!.type === "NS" ? [] : answering()(query, transport),
    "10.0.0.2": answering(30),
  }, { options: "force_tcp", policy: "fastest" });
  askMany(simulation, 400, { forMs: 10 });
  assert.ok(simulation.connects <= 12, `${simulation.connects} connections in four seconds`);
});

Deno.test("health_check 0 still pauses between checks", () => {
  const simulation = forwarding({ "10.0.0.1": refusing }, { options: "health_check 0s" });
  ask(simulation, { forMs: 1000 });
  const checks = checksOf(simulation, "10.0.0.1");
  assert.ok(checks <= 20, `${checks} checks in a second`);
});

Deno.test("a server that closes after each TCP answer serves many queries at a time", () => {
  const simulation = forwarding({ "10.0.0.1": closing(answering()) }, { options: "force_tcp" });
  const asked = askMany(simulation, 40);
  simulation.run(6000);
  assert.deepEqual(rcodes(asked), ["NOERROR"]);
});

Deno.test("a query is sent to one server at most three times over one transport (RFC 9520 3.1)", () => {
  const simulation = forwarding({ "10.0.0.1": silent });
  ask(simulation, { forMs: 6000 });
  const sent = sentFor(simulation, "www");
  assert.ok(sent <= 3, `sent ${sent} times`);
});

Deno.test("an upstream whose TCP is refused is not suspect while its UDP answers", () => {
  const simulation = forwarding({
    "10.0.0.1": overTcp(
      refusing,
      (query, transport) =>
        query.questions![0]!.name.startsWith("big")
          ? [{ bytes: responseBytes(query, { truncated: true }) }]
          : answering(20)(query, transport),
    ),
    "10.0.0.2": silent,
  });
  for (let i = 0; i < 50; i++) {
    ask(simulation, { name: `n${i}.example.org` });
    ask(simulation, { name: `big${i}.example.org`, forMs: 25 });
  }
  const checks = checksOf(simulation, "10.0.0.1");
  assert.ok(checks <= 2, `${checks} checks of a server that answers`);
});

Deno.test("an error response is passed on if no better one arrives", () => {
  const simulation = forwarding({
    "10.0.0.1": (query) => [{ bytes: responseBytes(query, { rcode: 5 }), delayMs: 30 }],
    "10.0.0.2": silent,
  }, { options: "hedge 20ms" });
  for (const [i, asked] of askMany(simulation, 60, { forMs: 7000 }).entries()) {
    assert.ok(waited(asked) < 2000, `query ${i} waited ${waited(asked)} ms`);
    assert.equal(onlyAnswer(asked).rcode, "REFUSED", `query ${i}`);
  }
});

/** Connections take 400 ms to establish, as TLS does over a long distance. */
class Far extends Simulation {
  readonly #waiting = new Map<number, { memory: Memory; length: number }[]>();
  override connect(endpoint: Endpoint, handler: StreamHandler): number {
    const { timers } = this.engine;
    const id = super.connect(endpoint, {
      connected: () =>
        timers.set(
          timers.create(() => {
            const frames = this.#waiting.get(id);
            if (frames === undefined) return;
            this.#waiting.delete(id);
            handler.connected?.();
            for (const { memory, length } of frames) super.write(id, memory, 0, length);
          }),
          this.nowMs + 399,
        ),
      data: (memory, offset, length) => handler.data(memory, offset, length),
      ended: () => handler.ended(),
      closed: (why) => handler.closed(why),
    });
    this.#waiting.set(id, []);
    return id;
  }
  override write(id: number, memory: Memory, offset: number, length: number): void {
    const frames = this.#waiting.get(id);
    if (frames === undefined) return super.write(id, memory, offset, length);
    const copy = new Memory(length + 8);
    copy.bytes.set(memory.bytes.subarray(offset, offset + length));
    frames.push({ memory: copy, length });
  }
  override close(id: number): void {
    this.#waiting.delete(id);
    super.close(id);
  }
}

Deno.test("a short read_timeout does not abandon a connection that is being established", () => {
  const options = "read_timeout 300ms\nforce_tcp";
  const simulation = forwarding({ "10.0.0.1": answering() }, { options, Class: Far });
  const asked = askMany(simulation, 20, { forMs: 250 });
  simulation.run(6000);
  const failed = asked.filter((one) => onlyAnswer(one).rcode !== "NOERROR").length;
  assert.ok(failed <= 3, `${failed} of 20 failed, ${simulation.connects} connections were begun`);
});

Deno.test("an upstream over TLS is not suspect while its connection is being established", () => {
  const simulation = forwarding({ "10.0.0.1": answering(40), "10.0.0.2": answering(40) }, {
    options: "force_tcp\nexpire 1s",
    Class: Far,
  });
  const checks = () => checksOf(simulation, "10.0.0.1") + checksOf(simulation, "10.0.0.2");
  // Busy for a second, then idle until the connections close, and so on.
  let atFirst = 0;
  for (let round = 0; round < 10; round++) {
    askMany(simulation, 50, { prefix: `r${round}n`, forMs: 20 });
    if (round === 0) atFirst = checks();
    simulation.run(5000);
  }
  const sent = simulation.seen.filter((line) => line.endsWith(" A")).length;
  const later = checks() - atFirst;
  assert.ok(later <= 2 && sent <= 525, `${later} checks, ${sent} packets for 500 queries`);
});

Deno.test("a query through two forwards is answered within five seconds", () => {
  const simulation = new Simulation(
    `. {\n forward . 10.0.0.1 {\n next NXDOMAIN\n read_timeout 5s\n }\n forward . 10.0.0.2\n}`,
  );
  simulation.upstream(
    "10.0.0.1:53",
    (query) => [{ bytes: responseBytes(query, { rcode: 3 }), delayMs: 4800 }],
  );
  simulation.upstream("10.0.0.2:53", silent);
  const asked = ask(simulation, { forMs: 20_000 });
  assert.ok(waited(asked) <= 5000, `waited ${waited(asked)} ms`);
});

Deno.test("a connection to a removed upstream closes once nothing is outstanding on it", () => {
  const options = "force_tcp\nexpire 10m";
  const simulation = forwarding({ "10.0.0.1": answering(50), "10.0.0.2": answering() }, {
    options,
  });
  ask(simulation, { forMs: 10 });
  deliver(simulation, ["10.0.0.2"]);
  simulation.run(5000);
  assert.equal(simulation.openUpstream, 0, "still open after five seconds");
});

Deno.test("an upstream listed twice is retired when it is removed", () => {
  const simulation = forwarding({ "10.0.0.1": silent, "10.0.0.2": answering() });
  deliver(simulation, ["10.0.0.1", "10.0.0.1"], { policy: "round_robin" });
  askMany(simulation, 4);
  simulation.run(6000);
  deliver(simulation, ["10.0.0.2"], { policy: "round_robin" });
  simulation.run(6000);
  const before = checksOf(simulation, "10.0.0.1");
  simulation.run(60_000);
  assert.equal(checksOf(simulation, "10.0.0.1") - before, 0, "it is checked for ever");
});

Deno.test("a server without TCP that stops sending cookies remains usable", () => {
  let cookies = true;
  const simulation = forwarding({
    "10.0.0.1": overTcp(refusing, (query) => {
      const options = cookies ? serverCookie(query) : [];
      const answers = [a(query.questions![0]!.name, "192.0.2.7")];
      return [{ bytes: responseBytes(query, { answers, options }) }];
    }),
  });
  ask(simulation, { forMs: 100 });
  cookies = false;
  const asked = askMany(simulation, 100, { forMs: 1000 });
  assert.equal(onlyAnswer(asked.at(-1)!).rcode, "NOERROR", "after a hundred seconds");
});

Deno.test("an answer delivered before its connection does not spoil the round-trip time", () => {
  const simulation = forwarding({ "10.0.0.1": answering(0) }, { options: "force_tcp" });
  assert.deepEqual(rcodes(askMany(simulation, 3, { forMs: 20_000 })), ["NOERROR"]);
  const mean = simulation.count("nodens_upstream_rtt_seconds");
  assert.ok(mean >= 0 && mean < 1, `${mean}`);
});

Deno.test("upstreams may appear and disappear while queries are in flight", () => {
  const simulation = new Simulation(". {\n errors\n cache\n forward . /etc/missing\n}", {
    seed: 4,
  });
  simulation.upstream("10.0.0.1:53", answering(50));
  const notReady = (name: string) => {
    const answer = onlyAnswer(ask(simulation, { name, edns: 1232, forMs: 100 }));
    assert.equal(answer.rcode, "SERVFAIL");
    assert.deepEqual(errorCodes(answer).slice(0, 1), [14]);
  };
  const answers = (asked: Asked) => onlyAnswer(asked).answers!.length;
  notReady("www.example.org");
  deliver(simulation, ["10.0.0.1"], { position: 2 });
  assert.equal(answers(ask(simulation, { edns: 1232, forMs: 1000 })), 1, "the failure was cached");
  const underWay = ask(simulation, { name: "slow.example.org", edns: 1232, forMs: 10 });
  deliver(simulation, [], { position: 2 });
  simulation.run(1000);
  assert.equal(answers(underWay), 1);
  notReady("other.example.org");
  assert.equal(answers(ask(simulation, { edns: 1232, forMs: 10 })), 1, "from the cache");
  assert.match(simulation.logs.join("\n"), /no upstream is known yet/);
});
