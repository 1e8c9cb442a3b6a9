import assert from "node:assert/strict";
import { loadConfig } from "../../src/loading/load.ts";
import { SHARED_BYTES } from "../../src/plugins/companions.ts";
import { creatorsWith } from "../../src/plugins/handlers.ts";
import { fakeHost } from "../support/doubles/fake_host.ts";
import {
  a,
  errorCodes,
  optionsOf,
  queryBytes,
  responseBytes,
  soa,
} from "../support/messages/messages.ts";
import {
  type Asked,
  type Behaviour,
  onlyAnswer,
  Simulation,
} from "../support/simulation/simulation.ts";

const UPSTREAM = "10.0.0.1:53";
const OTHER = "10.0.0.2:53";
const PROBE = /HINFO$/;
const NAME = / ([0-9a-f]{16}\.[0-9a-f]{16}(?:\.\S+)?) HINFO$/;

const good: Behaviour = (query) => {
  const { name, type } = query.questions![0]!;
  return [{
    bytes: type === "A"
      ? responseBytes(query, { answers: [a(name, "192.0.2.7")] })
      : responseBytes(query, { rcode: 3, authorities: [soa("example.org")] }),
    delayMs: 5,
  }];
};
const silent: Behaviour = () => [];

function start(
  directives = "",
  options: ConstructorParameters<typeof Simulation>[1] & { zone?: string; to?: string } = {},
): Simulation {
  const { zone = ".", to = UPSTREAM, ...others } = options;
  return new Simulation(`${zone} {\n${directives}\nloop\nforward . ${to}\n}`, others);
}

/** Names of the probes that an upstream has seen. */
function probes(simulation: Simulation, upstream = UPSTREAM): string[] {
  return simulation.seen.filter((line) => line.startsWith(`udp ${upstream} `) && PROBE.test(line))
    .map((line) => NAME.exec(line)![1]!);
}

function ask(simulation: Simulation, name: string, options = {}, listener = 0): Asked {
  const asked = simulation.ask(queryBytes({ name, edns: 1232, ...options }), listener);
  simulation.run(50);
  return asked;
}

function unready(simulation: Simulation): unknown {
  return simulation.engine.blocks.unready();
}

const onlyBytes = (asked: Asked) => {
  assert.equal(asked.answers.length, 1);
  return asked.answers[0]!.bytes;
};

const refused = (asked: Asked) => {
  const answer = onlyAnswer(asked);
  assert.equal(answer.rcode, "SERVFAIL");
  assert.deepEqual(errorCodes(answer), [14]);
};

Deno.test("without a loop, probes are rare, not cached and not counted", () => {
  const simulation = start("prometheus\nerrors\nlog\ncache");
  simulation.upstream(UPSTREAM, good);
  assert.deepEqual(unready(simulation), [[0, "loop"]]);
  simulation.run(20);
  assert.deepEqual(unready(simulation), []);
  assert.equal(probes(simulation).length, 1);
  simulation.run(200_000);
  assert.equal(probes(simulation).length, 1);
  simulation.run(3_400_000);
  // Twelve an hour on average; pauses vary by a quarter.
  const names = probes(simulation);
  assert.ok(names.length >= 9 && names.length <= 17, `${names.length} probes`);
  assert.equal(new Set(names).size, names.length);
  assert.equal(simulation.count("coredns_cache_entries"), 0);
  assert.equal(simulation.count("coredns_dns_requests_total"), 0);
  assert.equal(simulation.count("nodens_loop_detected_total"), 0);
  assert.deepEqual(simulation.logs, []);
  assert.equal(simulation.engine.waiting, 0);
});

Deno.test("a loop to itself is logged once and gets SERVFAIL; the cache still answers", () => {
  const simulation = start("errors\nlog\ncache 3600");
  simulation.upstream(UPSTREAM, good);
  assert.equal(onlyAnswer(ask(simulation, "www.example.org")).rcode, "NOERROR");
  simulation.leadBack(UPSTREAM, { client: "127.0.0.5" });
  simulation.run(40_000);
  simulation.logs.length = 0;
  ask(simulation, "first.example.org");
  simulation.run(10_000);
  const found = simulation.logs.filter((line) => line.includes("plugin/loop"));
  const name = probes(simulation).find((one) => found[0]?.includes(one));
  assert.equal(
    found.join("\n"),
    'error: plugin/loop: Loop (127.0.0.5:40000 -> 192.0.2.1:53) detected for zone ".": queries ' +
      `forwarded to ${UPSTREAM} come back. Queries for it get SERVFAIL until the loop ends. ` +
      "Remove the addresses of this server, and of servers that forward to it, from forward or " +
      "from the resolv.conf that it reads (127.0.0.53 is systemd-resolved: use " +
      `/run/systemd/resolve/resolv.conf instead). Query: "HINFO ${name}."`,
  );
  assert.deepEqual(unready(simulation), [[0, "loop"]]);
  refused(ask(simulation, "new.example.org"));
  assert.equal(onlyAnswer(ask(simulation, "www.example.org")).rcode, "NOERROR");

  const before = simulation.seen.length;
  const entries = simulation.count("coredns_cache_entries");
  simulation.logs.length = 0;
  for (let second = 0; second < 60; second++) {
    refused(ask(simulation, "again.example.org"));
    simulation.run(950);
  }
  const seen = simulation.seen.slice(before);
  assert.ok(seen.length >= 14 && seen.length <= 27, `${seen.length} queries`);
  assert.ok(seen.every((line) => PROBE.test(line)));
  assert.ok(simulation.logs.every((line) => !/plugin\/(loop|errors)/.test(line)));
  assert.equal(simulation.count("nodens_loop_detected_total"), 1);
  assert.equal(simulation.count("nodens_loop_present"), 1);
  assert.equal(simulation.count("coredns_cache_entries"), entries);
});

Deno.test("a loop at the start is found with the first probe", () => {
  const simulation = start("", { zone: "example.org" });
  simulation.leadBack(UPSTREAM);
  simulation.run(5);
  assert.match(simulation.logs.join("\n"), /^error: plugin\/loop: Loop .* zone "example\.org\."/);
  assert.equal(probes(simulation).length, 1);
  assert.ok(probes(simulation)[0]!.endsWith(".example.org"));
  refused(ask(simulation, "www.example.org"));
});

for (
  const [how, behaviour, withinMs] of [["answers", good, 5000], [
    "is silent",
    silent,
    12_000,
  ]] as const
) {
  Deno.test(`a loop is over when the upstream ${how}`, () => {
    const simulation = start("cache");
    simulation.leadBack(UPSTREAM);
    simulation.run(20_000);
    refused(ask(simulation, "www.example.org"));
    simulation.logs.length = 0;
    simulation.upstream(UPSTREAM, behaviour);
    simulation.run(withinMs);
    assert.match(
      simulation.logs.join("\n"),
      /^info: plugin\/loop: Loop for zone "\." has ended after [23]\d s: using 10\.0\.0\.1:53 again$/,
    );
    assert.deepEqual(unready(simulation), []);
    assert.equal(simulation.count("nodens_loop_present"), 0);
    simulation.upstream(UPSTREAM, good);
    simulation.run(2000);
    assert.equal(onlyAnswer(ask(simulation, "www.example.org")).rcode, "NOERROR");
  });
}

Deno.test("two blocks that forward to each other both find the loop and recover together", () => {
  const simulation = new Simulation(
    `.:53 {\ncache\nloop\nforward . ${UPSTREAM}\n}\n.:5353 {\ncache\nloop\nforward . ${OTHER}\n}`,
  );
  simulation.leadBack(UPSTREAM, { listener: 1 });
  simulation.leadBack(OTHER, { listener: 0 });
  simulation.run(60_000);
  assert.deepEqual(unready(simulation), [[0, "loop"], [1, "loop"]]);
  assert.equal(simulation.count("nodens_loop_detected_total"), 2);
  assert.equal(simulation.logs.length, 2);
  assert.match(simulation.logs.join("\n"), /forwarded to 10\.0\.0\.1:53 .*\n.* to 10\.0\.0\.2:53 /);
  assert.ok(simulation.seen.length <= 120, `${simulation.seen.length} queries`);
  assert.equal(simulation.count("coredns_cache_entries"), 0);
  for (const listener of [0, 1]) refused(ask(simulation, "www.example.org", {}, listener));
  simulation.upstream(OTHER, good);
  simulation.run(10_000);
  assert.deepEqual(unready(simulation), []);
  for (const listener of [0, 1]) {
    const asked = ask(simulation, `www${listener}.example.org`, {}, listener);
    assert.equal(onlyAnswer(asked).rcode, "NOERROR");
  }
  assert.equal(simulation.logs.length, 4);
});

Deno.test("a block that loops to itself behind another block is found", () => {
  const simulation = new Simulation(
    `.:53 {\nloop\nforward . ${UPSTREAM}\n}\n.:5353 {\nloop\nforward . ${OTHER}\n}`,
  );
  simulation.leadBack(UPSTREAM, { listener: 1 });
  simulation.leadBack(OTHER, { listener: 1 });
  simulation.run(60_000);
  assert.deepEqual(unready(simulation), [[1, "loop"]]);
  assert.equal(simulation.logs.length, 1);
});

Deno.test("a dead upstream is not a loop, and its probes become rare", () => {
  for (const behaviour of [silent, "refuse"] as const) {
    const simulation = start("errors");
    simulation.upstream(UPSTREAM, behaviour === "refuse" ? () => "refuse" : behaviour);
    simulation.run(1999);
    assert.deepEqual(unready(simulation), [[0, "loop"]].slice(behaviour === silent ? 0 : 1));
    simulation.run(2);
    assert.deepEqual(unready(simulation), []);
    simulation.run(250_000);
    assert.deepEqual(simulation.logs, []);
    assert.equal(new Set(probes(simulation)).size, 8);
    simulation.upstream(UPSTREAM, good);
    simulation.run(5000);
    assert.equal(onlyAnswer(ask(simulation, "www.example.org")).rcode, "NOERROR");
  }
});

Deno.test("a query of another client is not a loop, whatever its name", () => {
  const simulation = start("cache");
  simulation.upstream(UPSTREAM, good);
  simulation.run(10_000);
  const own = probes(simulation)[0]!;
  const names = [
    "www.example.org",
    "0123456789abcdef.0123456789abcdef",
    "0123456789abcdef.0123456789abcdeg",
    "1.2",
    own,
  ];
  for (const name of names) {
    assert.equal(onlyAnswer(ask(simulation, name, { type: "HINFO" })).rcode, "NXDOMAIN");
    assert.equal(simulation.seen.at(-1), `udp ${UPSTREAM} ${name} HINFO`);
  }
  assert.equal(onlyAnswer(ask(simulation, own)).rcode, "NOERROR");
  assert.deepEqual(simulation.logs, []);
  assert.deepEqual(unready(simulation), []);
  // Names like a probe's are not cached; one of them was queried for its address.
  assert.equal(simulation.count("coredns_cache_entries"), 4);
});

Deno.test("a probe's name sent ten thousand times, in either case, is not a loop and sends no query", () => {
  const simulation = start();
  simulation.upstream(UPSTREAM, silent);
  simulation.run(100);
  const [name] = probes(simulation);
  const before = simulation.seen.length;
  for (let i = 0; i < 10_000; i++) {
    const asked = simulation.ask(
      queryBytes({ name: i % 2 === 0 ? name! : name!.toUpperCase(), type: "HINFO" }),
    );
    const answer = onlyAnswer(asked);
    assert.equal(answer.rcode, "NXDOMAIN");
    assert.equal(answer.answers!.length + answer.authorities!.length, 0);
  }
  assert.equal(simulation.seen.length, before);
  assert.deepEqual(simulation.logs, []);
  assert.equal(simulation.count("nodens_loop_replays_total"), 9999);
  assert.equal(simulation.engine.waiting, 1);
});

Deno.test("during a loop, ten probes of others a second are forwarded", () => {
  const simulation = start();
  simulation.leadBack(UPSTREAM);
  simulation.run(1000);
  const before = simulation.seen.length;
  const asked = Array.from({ length: 100 }, (_, i) => {
    const name = `${i.toString(16).padStart(16, "0")}.0123456789abcdef`;
    return simulation.ask(queryBytes({ name, type: "HINFO", edns: 1232 }));
  });
  simulation.run(90);
  assert.equal(new Set(simulation.seen.slice(before)).size, 10);
  asked.slice(10).forEach(refused);
  simulation.run(10_000);
  assert.equal(simulation.engine.waiting, 0);
});

Deno.test("a loop through one of two upstreams is found, and does not end too early", () => {
  const simulation = start("", { to: `${UPSTREAM} ${OTHER}`, seed: 3 });
  simulation.upstream(OTHER, good);
  simulation.leadBack(UPSTREAM);
  simulation.run(10_000);
  assert.match(
    simulation.logs[0]!,
    /forwarded to 10\.0\.0\.1:53 come back\. Until the loop ends, the other upstreams are used/,
  );
  assert.deepEqual(unready(simulation), []);
  assert.equal(simulation.count("nodens_loop_present"), 1);
  const before = simulation.seen.length;
  for (let i = 0; i < 100; i++) {
    assert.equal(onlyAnswer(ask(simulation, `n${i}.example.org`)).rcode, "NOERROR");
  }
  const clients = simulation.seen.slice(before).filter((line) => !PROBE.test(line));
  assert.ok(clients.every((line) => line.includes(OTHER)));
  simulation.upstream(UPSTREAM, good);
  simulation.run(20_000);
  assert.deepEqual(unready(simulation), []);
  assert.equal(simulation.logs.filter((line) => line.includes("has ended")).length, 1);
});

Deno.test("new upstreams are probed within seconds", () => {
  const simulation = start();
  simulation.upstream(UPSTREAM, good);
  simulation.run(30_000);
  assert.equal(probes(simulation).length, 1);
  simulation.leadBack(OTHER);
  const upstream = { address: "10.0.0.2", port: 53, transport: "dns" as const, serverName: "" };
  const others = { readTimeoutMs: 2000, maxConnectAttempts: null, policy: "random" as const };
  simulation.engine.blocks.deliver(0, 1, { upstreams: [upstream], ...others });
  simulation.run(11_000);
  assert.match(simulation.logs.join("\n"), /^error: .* forwarded to 10\.0\.0\.2:53 come back/);
});

Deno.test("unanswered queries start a round of probes, at most twice a minute", () => {
  const simulation = start();
  simulation.upstream(UPSTREAM, good);
  simulation.run(40_000);
  simulation.upstream(UPSTREAM, silent);
  const before = new Set(probes(simulation)).size;
  for (let second = 0; second < 40; second++) {
    simulation.ask(queryBytes({ name: `n${second}.example.org` }));
    simulation.run(1000);
  }
  const more = new Set(probes(simulation)).size - before;
  assert.ok(more >= 2 && more <= 8, `${more} probes`);
});

Deno.test("two data planes recognize each other's probes", () => {
  const shared = new SharedArrayBuffer(SHARED_BYTES);
  const said: string[] = [];
  const handlers = creatorsWith({ shared, onHarm: (why) => said.push(why) });
  const [one, two] = [1, 2].map((seed) => start("", { handlers, seed })) as [
    Simulation,
    Simulation,
  ];
  two.upstream(UPSTREAM, good);
  two.run(100);
  // Queries sent by one arrive at the other.
  one.upstream(UPSTREAM, (query) => {
    const { name, type } = query.questions![0]!;
    const ednsOptions = optionsOf(query);
    const asked = two.ask(queryBytes({ name, type, id: query.id!, edns: 1232, ednsOptions }));
    return [{ bytes: onlyBytes(asked) }];
  });
  one.run(100);
  assert.deepEqual(two.logs, []);
  assert.match(one.logs.join("\n"), /^error: plugin\/loop: Loop detected for zone "\."/);
  refused(ask(one, "www.example.org"));
  assert.equal(onlyAnswer(ask(two, "www.example.org")).rcode, "NOERROR");
  assert.deepEqual(said, ['plugin/loop: a forwarding loop was found for zone "."']);
});

function reload(simulation: Simulation, text: string): void {
  const { config } = loadConfig({ file: "Corefile", text, defaultPort: 53 }, fakeHost());
  simulation.engine.configure(config);
}

Deno.test("a reload with other upstreams serves at once, and one with the same keeps the loop", () => {
  const simulation = start();
  simulation.leadBack(UPSTREAM);
  simulation.upstream(OTHER, good);
  simulation.run(10_000);
  reload(simulation, `. {\n\n\nloop\nforward . ${UPSTREAM}\n}`);
  refused(ask(simulation, "www.example.org"));
  assert.equal(simulation.logs.length, 1);
  reload(simulation, `. {\nloop\nforward . ${OTHER}\n}`);
  assert.equal(onlyAnswer(ask(simulation, "www.example.org")).rcode, "NOERROR");
  assert.equal(simulation.count("nodens_loop_present"), 0);
  simulation.run(20_000);
  assert.equal(probes(simulation, OTHER).length, 1);
  assert.deepEqual(unready(simulation), []);
  assert.equal(simulation.logs.length, 1);
});

Deno.test("a stopped handler sends no probe", () => {
  const simulation = start();
  simulation.upstream(UPSTREAM, silent);
  simulation.run(100);
  const before = new Set(probes(simulation)).size;
  reload(simulation, ". {\nwhoami\n}");
  simulation.run(600_000);
  assert.equal(new Set(probes(simulation)).size, before);
  assert.equal(simulation.engine.waiting, 0);
});

for (const options of ["serve_stale 1h", "serve_stale 1h verify", "prefetch 1 1h 90%"]) {
  Deno.test(`cached answers are served during a loop, with ${options}`, () => {
    const simulation = start(`cache {\n${options}\n}`);
    simulation.upstream(UPSTREAM, good);
    assert.equal(onlyAnswer(ask(simulation, "www.example.org")).rcode, "NOERROR");
    simulation.leadBack(UPSTREAM);
    simulation.run(60_000);
    ask(simulation, "away.example.org");
    simulation.run(10_000);
    assert.deepEqual(unready(simulation), [[0, "loop"]]);
    const lastsSeconds = options.startsWith("serve_stale") ? 400 : 200;
    for (let second = 0; second < lastsSeconds; second += 20) {
      const answer = onlyAnswer(ask(simulation, "www.example.org"));
      assert.equal(answer.rcode, "NOERROR", `after ${second} s`);
      assert.equal(answer.answers!.length, 1);
      simulation.run(20_000);
    }
    refused(ask(simulation, "new.example.org"));
  });
}
