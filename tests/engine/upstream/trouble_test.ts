import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import type * as codec from "dns-packet";
import { a, decode, queryBytes, responseBytes } from "../../support/messages/messages.ts";
import {
  type Asked,
  type Behaviour,
  onlyAnswer,
  Simulation,
} from "../../support/simulation/simulation.ts";
import { Memory } from "../../../src/engine/memory.ts";
import {
  type DatagramHandler,
  type Endpoint,
  NO_SOCKET,
  type StreamHandler,
} from "../../../src/engine/io.ts";

const good: Behaviour = (query) => [{
  bytes: responseBytes(query, { answers: [a(query.questions![0]!.name, "192.0.2.7")] }),
}];
const after = (delayMs: number): Behaviour => (query) => [{
  bytes: responseBytes(query, { answers: [a(query.questions![0]!.name, "192.0.2.7")] }),
  delayMs,
}];
const silent: Behaviour = () => [];
const replies = (sent: ReturnType<Behaviour>) => sent === "refuse" ? [] : sent;
const refusing: Behaviour = () => "refuse";

function start(
  options: string,
  upstreams: Record<string, Behaviour>,
  { seed = 1, Class = Simulation, policy = "policy sequential", maxExchanges = 6144 }: Partial<
    { seed: number; Class: typeof Simulation; policy: string; maxExchanges: number }
  > = {},
): Simulation {
  const to = Object.keys(upstreams).join(" ");
  const corefile = `. {\n errors\n forward . ${to} {\n ${policy}\n ${options}\n }\n}`;
  const simulation = new Class(corefile, { seed, maxExchanges });
  for (const [address, behaviour] of Object.entries(upstreams)) {
    simulation.upstream(`${address}:53`, behaviour);
  }
  return simulation;
}

function optionOf(query: codec.DecodedPacket, code: number): Buffer | null {
  const opt = query.additionals!.find(({ type }) => type === "OPT") as unknown as {
    options: { code: number; data: Uint8Array }[];
  } | undefined;
  const option = opt?.options.find((one) => one.code === code);
  return option === undefined ? null : Buffer.from(option.data);
}

const probes = (simulation: Simulation, address: string) =>
  simulation.seen.filter((line) => line.endsWith(" NS") && line.includes(` ${address}:`)).length;

Deno.test("a lookup that rests at its deadline while an attempt is under way still ends", () => {
  const hung: string[] = [];
  for (let readTimeout = 200; readTimeout <= 2400; readTimeout += 10) {
    const simulation = start(`max_connect_attempts 0\nread_timeout ${readTimeout}ms`, {
      "10.0.0.1": silent,
      "10.0.0.2": silent,
    });
    const asked = simulation.ask(queryBytes({ name: "www.example.org" }));
    simulation.run(60_000);
    if (asked.answers.length !== 1 || simulation.engine.waiting !== 0) hung.push(`${readTimeout}`);
  }
  assert.deepEqual(hung, []);
});

Deno.test("no packet is sent only to be timed out at once; a well upstream is not blamed for it", () => {
  const simulation = start("read_timeout 100ms", {
    "10.0.0.1": (query, transport) =>
      query.questions![0]!.name.startsWith("never") ? [] : good(query, transport),
    "10.0.0.2": after(5),
  });
  // Both are known to be quick, and are heard all the time.
  for (let i = 0; i < 50; i++) {
    simulation.ask(queryBytes({ name: `n${i}.example.org` }));
    simulation.run(10);
  }
  const asked = simulation.ask(queryBytes({ name: "never.example.org" }));
  for (let i = 0; i < 30; i++) {
    simulation.ask(queryBytes({ name: `m${i}.example.org` }));
    simulation.run(10);
  }
  assert.equal(onlyAnswer(asked).rcode, "NOERROR");
  const sent = simulation.seen.filter((line) => line.includes("never"));
  assert.equal(probes(simulation, "10.0.0.2"), 0, sent.join("\n"));
  assert.equal(sent.length, 2, sent.join("\n"));
});

Deno.test("what is outstanding at a silent upstream is asked of the other one once, not twice", () => {
  const simulation = start("", { "10.0.0.1": silent, "10.0.0.2": after(20) });
  const asked = simulation.ask(queryBytes({ name: "www.example.org" }));
  simulation.run(1000);
  assert.equal(onlyAnswer(asked).rcode, "NOERROR");
  const sent = simulation.seen.filter((line) => line.includes("10.0.0.2:53 www"));
  assert.equal(sent.length, 1, sent.join("\n"));
});

Deno.test("an attempt that is refused is replaced where the other one is at a silent upstream", () => {
  const simulation = start("", {
    "10.0.0.1": silent,
    "10.0.0.2": (_query, transport) => transport === "udp" ? "refuse" : [],
    "10.0.0.3": good,
  });
  // More than the budget for sending again covers.
  const asked = Array.from(
    { length: 150 },
    (_, i) => simulation.ask(queryBytes({ name: `n${i}.example.org` })),
  );
  simulation.run(6000);
  const waited = Math.max(...asked.map((one) => one.answers[0]!.atMs - one.atMs));
  assert.ok(waited < 500, `waited ${waited} ms`);
});

Deno.test("with two silent upstreams the third is asked long before a time-out", () => {
  const simulation = start("", {
    "10.0.0.1": silent,
    "10.0.0.2": silent,
    "10.0.0.3": good,
  });
  // The budget for sending again is used up by others.
  const asked = Array.from(
    { length: 150 },
    (_, i) => simulation.ask(queryBytes({ name: `n${i}.example.org` })),
  );
  simulation.run(6000);
  const waited = Math.max(...asked.map((one) => one.answers[0]!.atMs - one.atMs));
  assert.ok(waited <= 1000, `waited ${waited} ms`);
});

Deno.test("cookies stay on when one query of a server that knows them is malformed to it", () => {
  const cookies: (Buffer | null)[] = [];
  const simulation = start("", {
    "10.0.0.1": (query) => {
      const { name } = query.questions![0]!;
      const cookie = optionOf(query, 10);
      cookies.push(cookie);
      const options = cookie === null
        ? []
        : [{ code: 10, data: Buffer.concat([cookie.subarray(0, 8), Buffer.alloc(8, 7)]) }];
      const rcode = name.startsWith("bad") ? 1 : 0;
      return [{ bytes: responseBytes(query, { rcode, options, answers: [] }) }];
    },
  });
  for (const name of ["a.example.org", "bad.example.org", "b.example.org"]) {
    simulation.ask(queryBytes({ name }));
    simulation.run(100);
  }
  assert.ok(cookies.at(-1) !== null, "one FORMERR has switched cookies off for good");
});

Deno.test("with x20 no reply counts that does not repeat the name's case", () => {
  const simulation = start("x20", {
    "10.0.0.1": (query, transport) => {
      if (transport === "tcp") return good(query, transport);
      // What a forger who has guessed port and id can do without guessing the letters.
      const bare = new Uint8Array(12);
      bare.set([query.id! >> 8, query.id! & 255, 0x81, 0x83]);
      return [
        { bytes: bare, delayMs: 1 },
        ...replies(good(query, transport)).map((reply) => ({ ...reply, delayMs: 5 })),
      ];
    },
  });
  const asked = simulation.ask(queryBytes({ name: "averylongname.example.org" }));
  simulation.run(3000);
  assert.equal(onlyAnswer(asked).rcode, "NOERROR");
});

Deno.test("TC over TCP is no answer: the next upstream is asked, the client sees whole messages", () => {
  const truncated: Behaviour = (query) => {
    const whole = responseBytes(query, {
      truncated: true,
      answers: [
        a(query.questions![0]!.name, "192.0.2.7"),
        a(query.questions![0]!.name, "192.0.2.8"),
      ],
      edns: false,
    });
    return [{ bytes: whole.slice(0, whole.length - 4) }];
  };
  const simulation = start("", { "10.0.0.1": truncated, "10.0.0.2": good });
  const asked = simulation.ask(queryBytes({ name: "www.example.org" }));
  simulation.run(3000);
  const { bytes } = asked.answers[0]!;
  const counts = (bytes[6]! << 8) | bytes[7]!;
  assert.doesNotThrow(() => decode(bytes), `ANCOUNT ${counts} in ${bytes.length} octets`);
  assert.equal(decode(bytes).flag_tc, false, "TC to the client, although TCP was used upstream");
});

Deno.test("BADCOOKIE over TCP and BADVERS are no answers for clients", () => {
  for (const extendedRcode of [1]) {
    for (const rcode of [7, 0]) {
      const simulation = start("", {
        "10.0.0.1": (query) => {
          const cookie = optionOf(query, 10);
          const options = cookie === null
            ? []
            : [{ code: 10, data: Buffer.concat([cookie.subarray(0, 8), Buffer.alloc(8, 7)]) }];
          return [{ bytes: responseBytes(query, { rcode, extendedRcode, options }) }];
        },
        "10.0.0.2": good,
      });
      const asked = simulation.ask(queryBytes({ name: "www.example.org", edns: 1232 }));
      simulation.run(3000);
      const opt = onlyAnswer(asked).additionals!.find(({ type }) => type === "OPT") as unknown as {
        extendedRcode: number;
      };
      assert.equal(opt.extendedRcode, 0, `the client got rcode ${opt.extendedRcode * 16 + rcode}`);
    }
  }
});

/** Has no more than so many sockets and streams. */
class Poor extends Simulation {
  most = Infinity;
  used = 0;
  maxConnects = Infinity;
  override open(endpoint: Endpoint, handler: DatagramHandler): number {
    if (this.used >= this.most) return NO_SOCKET;
    this.used++;
    return super.open(endpoint, handler);
  }
  override release(index: number): void {
    this.used--;
    super.release(index);
  }
  override connect(endpoint: Endpoint, handler: StreamHandler): number {
    return this.maxConnects-- > 0 ? super.connect(endpoint, handler) : -1;
  }
}

Deno.test("running out of own sockets is no fault of the upstream", () => {
  const simulation = start("", { "10.0.0.1": after(50), "10.0.0.2": after(50) }, {
    Class: Poor,
    policy: "policy round_robin",
  }) as Poor;
  simulation.most = 100;
  // Replies come all the time: the upstreams are well.
  for (let i = 0; i < 4000; i++) {
    simulation.ask(queryBytes({ name: `n${i}.example.org` }));
    if (i % 4 === 0) simulation.run(1);
  }
  simulation.run(10_000);
  const checks = probes(simulation, "10.0.0.1") + probes(simulation, "10.0.0.2");
  const failed = simulation.count("coredns_proxy_healthcheck_failures_total");
  assert.ok(checks + failed <= 4, `${checks} checks sent, ${failed} counted as failed`);
});

Deno.test("one client cannot take the upstream's connections from all others", () => {
  const simulation = start("force_tcp", {
    "10.0.0.1": (query, transport) =>
      query.questions![0]!.name.startsWith("slow") ? [] : good(query, transport),
  });
  const others: ReturnType<Simulation["ask"]>[] = [];
  // A greedy client asks 9000 names whose servers never answer, within a second and a half.
  for (let i = 0; i < 9000; i++) {
    simulation.ask(queryBytes({ name: `slow${i}.example.org` }), 0, "192.0.2.66");
    if (i % 6 === 0) simulation.run(1);
    if (i % 60 === 0) {
      others.push(simulation.ask(queryBytes({ name: `fast${i}.example.org` }), 0, "192.0.2.200"));
    }
  }
  simulation.run(10_000);
  const failed = others.filter((one) => onlyAnswer(one).rcode !== "NOERROR").length;
  const checks = simulation.count("coredns_proxy_healthcheck_failures_total");
  assert.equal(
    failed,
    0,
    `${failed} of ${others.length} queries of others failed; ${checks} failed checks of a server that answers at once`,
  );
});

Deno.test("nor the sockets", () => {
  const simulation = start("", {
    "10.0.0.1": (query, transport) =>
      query.questions![0]!.name.startsWith("slow") ? [] : good(query, transport),
  }, {
    Class: Poor,
    // As the driver with so many sockets says.
    maxExchanges: 384,
  }) as Poor;
  // What the Linux driver has where 1024 descriptors may be open.
  simulation.most = 512;
  const others: ReturnType<Simulation["ask"]>[] = [];
  for (let i = 0; i < 3000; i++) {
    simulation.ask(queryBytes({ name: `slow${i}.example.org` }), 0, "192.0.2.66");
    if (i % 3 === 0) simulation.run(1);
    if (i % 60 === 0) {
      others.push(simulation.ask(queryBytes({ name: `fast${i}.example.org` }), 0, "192.0.2.200"));
    }
  }
  simulation.run(10_000);
  const failed = others.filter((one) => onlyAnswer(one).rcode !== "NOERROR").length;
  assert.equal(failed, 0, `${failed} of ${others.length} queries of others failed`);
});

Deno.test("policy fastest with max_fails 0 does not stick to an upstream that never answered", () => {
  const simulation = start("max_fails 0\nread_timeout 500ms", {
    "10.0.0.1": silent,
    "10.0.0.2": after(10),
  }, { policy: "policy fastest" });
  const waits: number[] = [];
  for (let i = 0; i < 200; i++) {
    const asked = simulation.ask(queryBytes({ name: `n${i}.example.org` }));
    simulation.run(600);
    waits.push(asked.answers.length === 0 ? Infinity : asked.answers[0]!.atMs - asked.atMs);
  }
  const slow = waits.slice(20).filter((ms) => ms > 50).length;
  assert.ok(slow < 90, `${slow} of 180 queries went to the dead one first`);
});

Deno.test("policy fastest with max_fails 0 does not check a refusing upstream at every query", () => {
  const simulation = start("max_fails 0", {
    "10.0.0.1": refusing,
    "10.0.0.2": after(1),
  }, { policy: "policy fastest" });
  for (let i = 0; i < 500; i++) {
    simulation.ask(queryBytes({ name: `n${i}.example.org` }));
    simulation.run(4);
  }
  const checks = probes(simulation, "10.0.0.1");
  assert.ok(checks <= 10, `${checks} checks within two seconds`);
});

Deno.test("an unanswered measurement does not close a connection that answers", () => {
  const simulation = start("force_tcp", {
    "10.0.0.1": (query, transport) =>
      query.questions![0]!.type === "NS" ? [] : good(query, transport),
    "10.0.0.2": after(30),
  }, { policy: "policy fastest" });
  for (let i = 0; i < 400; i++) {
    simulation.ask(queryBytes({ name: `n${i}.example.org` }));
    simulation.run(10);
  }
  // A check that fails takes its own connection with it, and no other.
  assert.ok(simulation.connects <= 12, `${simulation.connects} connections in four seconds`);
});

Deno.test("health_check 0 does not check without pause", () => {
  const simulation = start("health_check 0s", { "10.0.0.1": refusing });
  simulation.ask(queryBytes({ name: "www.example.org" }));
  simulation.run(1000);
  const checks = probes(simulation, "10.0.0.1");
  assert.ok(checks <= 20, `${checks} checks in a second`);
});

Deno.test("a server that closes after each answer over TCP still serves many at a time", () => {
  const simulation = start("force_tcp", {
    "10.0.0.1": (query, transport) =>
      replies(good(query, transport)).map((reply) => ({ ...reply, close: true })),
  });
  const asked = Array.from(
    { length: 40 },
    (_, i) => simulation.ask(queryBytes({ name: `n${i}.example.org` })),
  );
  simulation.run(6000);
  const failed = asked.filter((one) => onlyAnswer(one).rcode !== "NOERROR").length;
  assert.equal(failed, 0, `${failed} of 40 failed`);
});

Deno.test("a query is sent to one server at most three times over one transport (RFC 9520 3.1)", () => {
  const simulation = start("", { "10.0.0.1": silent });
  simulation.ask(queryBytes({ name: "www.example.org" }));
  simulation.run(6000);
  const sent = simulation.seen.filter((line) => line.includes("www")).length;
  assert.ok(sent <= 3, `sent ${sent} times`);
});

Deno.test("an upstream whose TCP is refused is not suspect while its UDP answers", () => {
  const simulation = start("", {
    "10.0.0.1": (query, transport) => {
      if (transport === "tcp") return "refuse";
      const { name } = query.questions![0]!;
      return name.startsWith("big")
        ? [{ bytes: responseBytes(query, { truncated: true }) }]
        : after(20)(query, transport);
    },
    "10.0.0.2": silent,
  });
  for (let i = 0; i < 50; i++) {
    simulation.ask(queryBytes({ name: `n${i}.example.org` }));
    simulation.ask(queryBytes({ name: `big${i}.example.org` }));
    simulation.run(25);
  }
  assert.ok(
    probes(simulation, "10.0.0.1") <= 2,
    `${probes(simulation, "10.0.0.1")} checks of a server that answers`,
  );
});

Deno.test("a failure that came is handed on where nothing better comes", () => {
  const simulation = start("hedge 20ms", {
    "10.0.0.1": (query) => [{ bytes: responseBytes(query, { rcode: 5 }), delayMs: 30 }],
    "10.0.0.2": silent,
  });
  // Earns the hedge.
  let last: Asked | null = null;
  for (let i = 0; i < 60; i++) {
    last = simulation.ask(queryBytes({ name: `n${i}.example.org` }));
    simulation.run(7000);
    const waited = last.answers[0]!.atMs - last.atMs;
    assert.ok(waited < 2000, `query ${i} waited ${waited} ms: ${onlyAnswer(last).rcode}`);
    assert.equal(onlyAnswer(last).rcode, "REFUSED", `query ${i}`);
  }
});

function setLater(simulation: Simulation, ms: number, run: () => void): void {
  const { timers } = simulation.engine;
  timers.set(timers.create(run), simulation.nowMs + ms);
}

/** Connections take 400 ms to stand, as TLS over a long way does. */
class Far extends Simulation {
  readonly #waiting = new Map<number, { memory: Memory; length: number }[]>();
  override connect(endpoint: Endpoint, handler: StreamHandler): number {
    const id = super.connect(endpoint, {
      connected: () =>
        setLater(this, 399, () => {
          const frames = this.#waiting.get(id);
          if (frames === undefined) return;
          this.#waiting.delete(id);
          handler.connected?.();
          for (const { memory, length } of frames) super.write(id, memory, 0, length);
        }),
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

Deno.test("a connection that is still being made is not given up by a short read_timeout", () => {
  const simulation = start("read_timeout 300ms\nforce_tcp", { "10.0.0.1": good }, {
    Class: Far,
  });
  const asked: ReturnType<Simulation["ask"]>[] = [];
  for (let i = 0; i < 20; i++) {
    asked.push(simulation.ask(queryBytes({ name: `n${i}.example.org` })));
    simulation.run(250);
  }
  simulation.run(6000);
  const failed = asked.filter((one) => onlyAnswer(one).rcode !== "NOERROR").length;
  assert.ok(failed <= 3, `${failed} of 20 failed, ${simulation.connects} connections were begun`);
});

Deno.test("an upstream over TLS is not suspect because its connection has to be made first", () => {
  const simulation = start(
    "force_tcp\nexpire 1s",
    { "10.0.0.1": after(40), "10.0.0.2": after(40) },
    {
      Class: Far,
    },
  );
  // Busy for a second, then idle until the connections close, and so on.
  let asked = 0;
  let checks = 0;
  for (let round = 0; round < 10; round++) {
    for (let i = 0; i < 50; i++) {
      simulation.ask(queryBytes({ name: `n${asked++}.example.org` }));
      simulation.run(20);
    }
    if (round === 0) checks = -probes(simulation, "10.0.0.1") - probes(simulation, "10.0.0.2");
    simulation.run(5000);
  }
  checks += probes(simulation, "10.0.0.1") + probes(simulation, "10.0.0.2");
  const sent = simulation.seen.filter((line) => line.endsWith(" A")).length;
  assert.ok(
    checks <= 2 && sent <= asked * 1.05,
    `${checks} checks, ${sent} packets for ${asked} queries`,
  );
});

Deno.test("next over two forwards keeps within five seconds", () => {
  const simulation = new Simulation(
    `. {\n forward . 10.0.0.1 {\n next NXDOMAIN\n read_timeout 5s\n }\n forward . 10.0.0.2\n}`,
  );
  simulation.upstream(
    "10.0.0.1:53",
    (query) => [{ bytes: responseBytes(query, { rcode: 3 }), delayMs: 4800 }],
  );
  simulation.upstream("10.0.0.2:53", silent);
  const asked = simulation.ask(queryBytes({ name: "www.example.org" }));
  simulation.run(20_000);
  const waited = asked.answers[0]!.atMs - asked.atMs;
  assert.ok(waited <= 5000, `waited ${waited} ms`);
});

Deno.test("a connection of an upstream that has gone closes when nothing is outstanding on it", () => {
  const simulation = start("force_tcp\nexpire 10m", { "10.0.0.1": after(50), "10.0.0.2": good });
  simulation.ask(queryBytes({ name: "www.example.org" }));
  simulation.run(10);
  const upstreams = [{ address: "10.0.0.2", port: 53, transport: "dns", serverName: "" }];
  simulation.engine.deliver(0, 1, {
    upstreams,
    readTimeoutMs: 2000,
    maxConnectAttempts: null,
    policy: "sequential",
  });
  simulation.run(5000);
  assert.equal(simulation.openUpstream, 0, "still open after five seconds");
});

Deno.test("an upstream that stands twice in a new list is let go of when it goes", () => {
  const simulation = start("", { "10.0.0.1": silent, "10.0.0.2": good });
  const of = (...addresses: string[]) => ({
    upstreams: addresses.map((address) => ({
      address,
      port: 53,
      transport: "dns",
      serverName: "",
    })),
    readTimeoutMs: 2000,
    maxConnectAttempts: null,
    policy: "round_robin",
  });
  simulation.engine.deliver(0, 1, of("10.0.0.1", "10.0.0.1"));
  for (let i = 0; i < 4; i++) simulation.ask(queryBytes({ name: `n${i}.example.org` }));
  simulation.run(6000);
  simulation.engine.deliver(0, 1, of("10.0.0.2"));
  simulation.run(6000);
  const before = probes(simulation, "10.0.0.1");
  simulation.run(60_000);
  assert.equal(probes(simulation, "10.0.0.1") - before, 0, "it is checked for ever");
});

Deno.test("a server that lost its cookies, behind a firewall without TCP, is not lost for ever", () => {
  let cookies = true;
  const simulation = start("", {
    "10.0.0.1": (query, transport) => {
      if (transport === "tcp") return "refuse";
      const cookie = optionOf(query, 10);
      const { name } = query.questions![0]!;
      const options = !cookies || cookie === null
        ? []
        : [{ code: 10, data: Buffer.concat([cookie.subarray(0, 8), Buffer.alloc(8, 7)]) }];
      return [{ bytes: responseBytes(query, { answers: [a(name, "192.0.2.7")], options }) }];
    },
  });
  simulation.ask(queryBytes({ name: "a.example.org" }));
  simulation.run(100);
  cookies = false;
  let last: Asked | null = null;
  for (let i = 0; i < 100; i++) {
    last = simulation.ask(queryBytes({ name: `n${i}.example.org` }));
    simulation.run(1000);
  }
  assert.equal(onlyAnswer(last!).rcode, "NOERROR", "after a hundred seconds");
});

Deno.test("an answer that is told before its connection does not spoil the upstream's times", () => {
  const simulation = start("force_tcp", { "10.0.0.1": after(0) });
  for (let i = 0; i < 3; i++) {
    const asked = simulation.ask(queryBytes({ name: `n${i}.example.org` }));
    simulation.run(20_000);
    assert.equal(onlyAnswer(asked).rcode, "NOERROR");
  }
  const mean = simulation.count("nodens_upstream_rtt_seconds");
  assert.ok(mean >= 0 && mean < 1, `${mean}`);
});

Deno.test("upstreams come and go: none yet, one, none again, with a query under way", () => {
  const others = { readTimeoutMs: 2000, maxConnectAttempts: null, policy: "sequential" as const };
  const of = (...addresses: string[]) => ({
    upstreams: addresses.map((address) => ({
      ...{ address, port: 53, serverName: "" },
      transport: "dns" as const,
    })),
    ...others,
  });
  const simulation = new Simulation(". {\n errors\n cache\n forward . /etc/missing\n}", {
    seed: 4,
  });
  simulation.upstream("10.0.0.1:53", (query) => [{
    bytes: responseBytes(query, { answers: [a(query.questions![0]!.name, "192.0.2.7")] }),
    delayMs: 50,
  }]);
  const ask = (name: string, forMs: number) => {
    const asked = simulation.ask(queryBytes({ name, edns: 1232 }));
    simulation.run(forMs);
    return asked;
  };
  const notReady = (name: string) => {
    const { rcode, additionals } = onlyAnswer(ask(name, 100));
    assert.equal(rcode, "SERVFAIL");
    const opt = additionals![0] as { options: { code: number; data: Uint8Array }[] };
    const data = opt.options.find(({ code }) => code === 15)!.data;
    assert.deepEqual([...data.subarray(0, 2)], [0, 14]);
  };
  notReady("www.example.org");
  simulation.engine.deliver(0, 2, of("10.0.0.1"));
  // The failure was not kept.
  assert.equal(onlyAnswer(ask("www.example.org", 1000)).answers!.length, 1);
  const underWay = ask("slow.example.org", 10);
  simulation.engine.deliver(0, 2, of());
  simulation.run(1000);
  assert.equal(onlyAnswer(underWay).answers!.length, 1);
  notReady("other.example.org");
  assert.equal(onlyAnswer(ask("www.example.org", 10)).answers!.length, 1, "from the cache");
  assert.match(simulation.logs.join("\n"), /no upstream is known yet/);
});
