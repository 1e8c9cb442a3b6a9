import assert from "node:assert/strict";
import { a, cname, errorCodes, soa } from "../../support/messages/messages.ts";
import {
  answering,
  CacheWorld,
  dataOf,
  denying,
  failing,
  replying,
  silent,
  ttlOf,
} from "../../support/simulation/cache_world.ts";
import { type CachedEntry, entryText } from "../../../src/cli/operator/entry_text.ts";
import {
  CacheVerbs,
  type Parameters as VerbParameters,
} from "../../support/simulation/cache_verbs.ts";
import { deliver } from "../../support/simulation/forwarding.ts";
import type { Behaviour } from "../../support/simulation/simulation.ts";

const NAME = "api.example.org";

/** A for every name; other types do not exist. */
const onlyA = (data: string, ttl = 30): Behaviour => (query, ...rest) =>
  query.questions![0]!.type === "A"
    ? answering({ data, ttl })(query, ...rest)
    : replying({ authorities: [soa("example.org", ttl)] })(query, ...rest);

class World extends CacheWorld {
  constructor(options = `keep ${NAME}`, first = onlyA("192.0.2.1"), others = {}) {
    super(first, options, others);
  }

  pinned(): string {
    return ["fresh", "stale", "missing"].map((state) => this.state(state)).join(" ");
  }

  state(state: string): number {
    const { counters } = this.simulation;
    return counters.places
      .filter(({ name, labels }) => name === "nodens_cache_pinned" && labels.state === state)
      .reduce((sum, { index }) => sum + counters.values[index]!, 0);
  }

  get asked(): string[] {
    const seen = this.simulation.seen.map((line) => line.split(" ").slice(2).join(" "));
    this.simulation.seen.length = 0;
    return seen.filter((line) => !line.endsWith(" NS")).sort();
  }

  told(query: Parameters<CacheWorld["ask"]>[0] = {}): string {
    const answer = this.ask({ name: NAME, edns: 1232, ...query });
    const codes = errorCodes(answer);
    return dataOf(answer) + (codes.length === 0 ? "" : ` ede ${codes}`);
  }

  /** Queries with other names, which fill the cache. */
  flood(names: number): void {
    const { behaviour } = this;
    this.behaviour = answering({ ttl: 3600 });
    for (let i = 0; i < names; i++) {
      this.send({ name: `x${i}.example.org` }, `192.0.2.${i % 250}`);
      if (i % 50 === 0) this.run(5);
    }
    this.run(50);
    this.behaviour = behaviour;
  }
}

const BOTH = [`${NAME} A`, `${NAME} AAAA`];

Deno.test("a pinned name is resolved after the start, before a client asks", () => {
  const world = new World();
  assert.equal(world.pinned(), "0 0 2");
  assert.deepEqual(world.asked, []);
  world.run(500);
  assert.deepEqual(world.asked, BOTH);
  assert.equal(world.pinned(), "2 0 0");
  assert.equal(world.told(), "192.0.2.1");
  assert.deepEqual(world.asked, []);
  assert.deepEqual(world.simulation.logs, []);
});

Deno.test("the types named after a pinned name are resolved", () => {
  const world = new World(`keep a.example.org MX TXT b.example.org`);
  world.run(500);
  assert.deepEqual(world.asked, [
    "a.example.org MX",
    "a.example.org TXT",
    "b.example.org A",
    "b.example.org AAAA",
  ]);
});

Deno.test("pinned names are resolved a few at a time", () => {
  const names = Array.from({ length: 100 }, (_, i) => `n${i}.example.org`).join(" ");
  let inFlight = 0;
  let most = 0;
  const world = new World(`keep ${names}`);
  world.behaviour = (query, ...rest) => {
    most = Math.max(most, ++inFlight);
    const sent = onlyA("192.0.2.1")(query, ...rest) as { bytes: Uint8Array; delayMs?: number }[];
    inFlight--;
    return sent.map((one) => ({ ...one, delayMs: 15 }));
  };
  world.run(119);
  assert.equal(world.asked.length, 8);
  world.run(5000);
  assert.equal(world.pinned(), "200 0 0");
  assert.equal(world.asked.length, 192);
});

for (
  const { ttl, minutes, least, most } of [
    { ttl: 30, minutes: 10, least: 20, most: 26 },
    { ttl: 5, minutes: 5, least: 60, most: 100 },
    { ttl: 3600, minutes: 120, least: 2, most: 3 },
  ]
) {
  Deno.test(`a pinned name with a TTL of ${ttl} s is refreshed before it expires`, () => {
    const world = new World(`keep ${NAME} A`, onlyA("192.0.2.1", ttl));
    for (let i = 0; i < minutes * 60; i++) {
      world.run(1000);
      assert.equal(world.pinned(), "1 0 0");
    }
    const asked = world.asked.length;
    assert.ok(asked >= least && asked <= most, `${asked} queries`);
    assert.equal(world.count("nodens_cache_pinned_failures_total"), 0);
  });
}

for (const [how, trouble] of [["fail", failing], ["are silent", silent]] as const) {
  for (const options of ["", "serve_stale 1m", "serve_stale 1m verify 100ms"]) {
    Deno.test(`${options || "without serve_stale"}: a pinned answer outlives upstreams that ${how}`, () => {
      const world = new World(`keep ${NAME}\n ${options}`);
      world.run(1000);
      world.behaviour = trouble;
      world.run(86_400_000);
      assert.equal(world.pinned(), "0 2 0");
      const asked = world.send({ name: NAME, edns: 1232 });
      assert.equal(asked.answers.length, 1, "at once");
      assert.equal(world.told(), "192.0.2.1 ede 3");
      assert.equal(world.told({ type: "AAAA" }), "NOERROR ede 3");
    });
  }
}

Deno.test("a stale pinned answer has the TTL of RFC 8767, or that of serve_stale", () => {
  for (
    const [more, ttl] of [["", 30], ["serve_stale 1m immediate 7s", 7], ["keepttl", 30]] as const
  ) {
    const world = new World(`keep ${NAME}\n ${more}`, onlyA("192.0.2.1", 40));
    world.run(1000);
    world.behaviour = failing;
    world.run(600_000);
    assert.equal(ttlOf(world.ask({ name: NAME })), ttl, more);
  }
});

Deno.test("a failing refresh is retried with a back-off, forever", () => {
  const world = new World(`keep ${NAME} A`, failing);
  const times: number[] = [];
  for (let seconds = 0; seconds < 600; seconds++) {
    const before = world.lookups;
    world.run(1000);
    if (world.lookups > before) times.push(seconds);
  }
  const pauses = times.slice(1).map((at, i) => at - times[i]!);
  assert.ok(times.length >= 10 && times.length <= 26, `${times.length} queries`);
  assert.ok(pauses.every((pause) => pause <= 61), `${pauses}`);
  assert.ok(pauses.slice(6).every((pause) => pause >= 25), `${pauses}`);
  assert.equal(world.count("nodens_cache_pinned_failures_total"), times.length);
});

Deno.test("pinned names are fresh again within a minute after an outage", () => {
  const names = Array.from({ length: 40 }, (_, i) => `n${i}.example.org`).join(" ");
  const world = new World(`keep ${names}`);
  world.run(5000);
  world.behaviour = silent;
  world.run(3_600_000);
  assert.equal(world.pinned(), "0 80 0");
  world.behaviour = onlyA("192.0.2.2");
  world.run(75_000);
  assert.equal(world.pinned(), "80 0 0");
  assert.equal(world.told({ name: "n7.example.org" }), "192.0.2.2");
  const [lost, back] = world.simulation.logs.filter((line) => line.includes("keep"));
  assert.match(
    lost!,
    /^warning: plugin\/cache: keep: n\d+\.example\.org\. A+ is stale, .*and \d+ more$/,
  );
  assert.equal(back, "info: plugin/cache: keep: every name has a fresh answer again");
});

Deno.test("a denial by the upstream replaces a pinned answer, and is kept as well", () => {
  const world = new World(`keep ${NAME} A`);
  world.run(1000);
  world.behaviour = denying();
  world.run(60_000);
  assert.equal(world.pinned(), "0 0 1");
  assert.equal(world.told(), "NXDOMAIN");
  world.behaviour = failing;
  world.run(600_000);
  assert.equal(world.told(), "NXDOMAIN ede 19");
  world.behaviour = onlyA("192.0.2.3");
  world.run(75_000);
  assert.equal(world.told(), "192.0.2.3");
  assert.equal(world.pinned(), "1 0 0");
});

Deno.test("serve_stale_policy prefers a pinned answer to a denial no longer than without keep", () => {
  const world = new World(`keep ${NAME} A\n serve_stale 1m\n serve_stale_policy prefer_positive`);
  world.run(1000);
  world.behaviour = denying();
  world.run(60_000);
  assert.equal(world.told(), "192.0.2.1 ede 3");
  world.run(60_000);
  assert.equal(world.told(), "NXDOMAIN");
  world.behaviour = failing;
  world.run(600_000);
  assert.equal(world.told(), "NXDOMAIN ede 19");
});

for (
  const [title, trouble] of [
    ["an empty answer", replying()],
    ["an alias without its target", replying({ answers: [cname(NAME, "b.example.org")] })],
    ["a truncated answer", replying({ truncated: true })],
    ["REFUSED", replying({ rcode: 5 })],
  ] as const
) {
  Deno.test(`${title} does not replace a pinned answer`, () => {
    const world = new World(`keep ${NAME} A`);
    world.run(1000);
    world.behaviour = trouble;
    world.run(300_000);
    assert.equal(world.told(), "192.0.2.1 ede 3");
  });
}

for (
  const [title, options] of [
    ["the number of entries", "success 1024\n denial 1024"],
    ["memory", "success 50000\n denial 50000\n capacity_bytes 1Mi"],
  ] as const
) {
  Deno.test(`pinned names are not evicted when ${title} runs out`, () => {
    const names = Array.from({ length: 100 }, (_, i) => `n${i}.example.org`);
    const world = new World(
      `keep ${names.join(" ")}\n ${options}`,
      onlyA("192.0.2.1", 3000),
    );
    world.run(5000);
    world.asked;
    world.flood(20_000);
    assert.ok(world.count("coredns_cache_evictions_total") > 1000);
    assert.deepEqual(world.asked.filter((line) => line.startsWith("n")), []);
    for (const name of names) assert.equal(world.told({ name }), "192.0.2.1");
    assert.deepEqual(world.asked, []);
    assert.equal(world.pinned(), "200 0 0");
  });
}

Deno.test("large pinned answers leave most of the memory to others", () => {
  const names = Array.from({ length: 200 }, (_, i) => `n${i}.example.org A`).join(" ");
  const many: Behaviour = (query, ...rest) => {
    const { name } = query.questions![0]!;
    const answers = Array.from(
      { length: 500 },
      (_, i) => a(name, `10.0.${i >> 8}.${i & 255}`, 3000),
    );
    return replying({ answers })(query, ...rest);
  };
  const world = new World(`keep ${names}\n capacity_bytes 1Mi`, many);
  world.behaviour = (query, transport, arrival) =>
    transport === "udp"
      ? replying({ truncated: true })(query, transport, arrival)
      : many(query, transport, arrival);
  world.run(10_000);
  world.asked;
  world.flood(500);
  assert.ok(world.count("nodens_cache_bytes") <= 2 ** 20);
  world.asked;
  assert.equal(world.told({ name: "x499.example.org" }), "192.0.2.7");
  assert.deepEqual(world.asked.filter((line) => line.startsWith("x")), []);
  assert.ok(world.state("fresh") >= 20);
  const before = world.lookups;
  world.run(600_000);
  assert.ok(world.lookups - before <= 10, "what has no room is not asked for all the time");
});

Deno.test("queries with DO for a pinned name are answered as usual", () => {
  const world = new World(`keep ${NAME} A`);
  world.run(1000);
  world.behaviour = failing;
  world.run(600_000);
  assert.equal(world.told({ dnssecOk: true }), "SERVFAIL");
  assert.equal(world.told(), "192.0.2.1 ede 3");
});

const corefile = (options: string) => `. {\n cache {\n ${options}\n }\n forward . 10.0.0.1\n}`;

for (
  const [title, options, more] of [
    ["keeps the cache", `keep ${NAME} A`, "prefetch 2"],
    ["drops the cache", `keep ${NAME} A`, "success 5000 60"],
    ["adds a name", `keep ${NAME} A b.example.org A`, ""],
  ] as const
) {
  Deno.test(`a reload that ${title} keeps pinned answers, with their age`, () => {
    const world = new World(`keep ${NAME} A`, onlyA("192.0.2.1", 50));
    world.run(1000);
    world.behaviour = failing;
    world.run(300_000);
    world.simulation.reload(corefile(`${options}\n ${more}`));
    assert.equal(world.told(), "192.0.2.1 ede 3");
    assert.equal(world.state("stale"), 1);
    world.behaviour = onlyA("192.0.2.2");
    world.run(75_000);
    assert.equal(world.told(), "192.0.2.2");
    assert.equal(world.state("stale"), 0);
    assert.equal(world.state("fresh"), options.includes("b.") ? 2 : 1);
  });
}

Deno.test("a reload without keep lets go of pinned entries", () => {
  const world = new World(`keep ${NAME} A`);
  world.run(1000);
  world.behaviour = failing;
  world.run(60_000);
  world.simulation.reload(corefile(""));
  assert.equal(world.told(), "SERVFAIL");
  assert.equal(world.pinned(), "0 0 0");
  world.asked;
  world.run(600_000);
  assert.deepEqual(world.asked, []);
});

Deno.test("names that a handler below answers are pinned at once", () => {
  const world = new World("");
  world.simulation.reload(
    `. {\n cache {\n keep ${NAME} A\n }\n hosts {\n 192.0.2.9 ${NAME}\n }\n forward . 10.0.0.1\n}`,
  );
  world.run(500);
  assert.equal(world.pinned(), "1 0 0");
  assert.equal(world.told(), "192.0.2.9");
  assert.deepEqual(world.asked, []);
});

Deno.test("keep: names and questions are limited", () => {
  const names = (count: number) => Array.from({ length: count }, (_, i) => `n${i}.example.org`);
  assert.equal(new World(`keep ${names(256).join(" ")}`).state("missing"), 512);
  for (
    const words of [
      names(257).map((name) => `${name} A`),
      names(171).map((name) => `${name} A AAAA MX`),
    ]
  ) {
    assert.throws(
      () => new World(`keep ${words.join(" ")}`),
      /keep: more than 256 names, or 512 names and types \(keep only names that must not fail/,
    );
  }
});

for (
  const parameters of [{ name: NAME }, { zone: "example.org" }, { all: "true" }] as VerbParameters[]
) {
  Deno.test(`a pinned name is resolved again after flush ${JSON.stringify(parameters)}`, async () => {
    const world = new World(`keep ${NAME}`);
    const verbs = new CacheVerbs(world.simulation);
    world.run(1000);
    world.behaviour = onlyA("192.0.2.2");
    const { answers, denials } = await verbs.flush(parameters);
    assert.deepEqual({ answers, denials }, { answers: 1, denials: 1 });
    world.asked;
    world.run(1100);
    assert.deepEqual(world.asked, BOTH);
    assert.equal(world.told(), "192.0.2.2");
    assert.equal(world.pinned(), "2 0 0");
  });
}

Deno.test("a stale pinned entry is looked up and flushed", async () => {
  const world = new World(`keep ${NAME} A`);
  const verbs = new CacheVerbs(world.simulation);
  world.run(1000);
  world.behaviour = failing;
  world.run(600_000);
  const [found] = (await verbs.lookup({ name: NAME })).filter(({ kind }) => kind === "answer");
  assert.equal(found!.stale && found!.pinned, true);
  assert.match(
    entryText(structuredClone(found!) as CachedEntry),
    /api\.example\.org\. A: stale, \d+ s old, kept, /,
  );
  world.run(20_000);
  assert.equal((await verbs.flush({ name: NAME })).stale, 1);
  assert.equal(world.told(), "SERVFAIL");
  const before = world.count("nodens_cache_pinned_failures_total");
  world.run(1100);
  assert.equal(world.pinned(), "0 0 1");
  assert.ok(world.count("nodens_cache_pinned_failures_total") > before);
});

for (const [options, left] of [["", "192.0.2.2"], ["keep_on_change", "192.0.2.1"]] as const) {
  Deno.test(`${options || "without keep_on_change"}: pinned names when all servers are replaced`, () => {
    const world = new World(`keep ${NAME}\n ${options}`);
    world.simulation.upstream("10.0.0.2:53", onlyA("192.0.2.2"));
    world.run(1000);
    deliver(world.simulation, ["10.0.0.2"]);
    world.run(1100);
    assert.equal(world.told(), left);
    assert.equal(world.pinned(), "2 0 0");
  });
}

Deno.test("a name that failed is asked for at once when all servers are replaced", () => {
  const world = new World(`keep ${NAME}`, failing);
  world.simulation.upstream("10.0.0.2:53", onlyA("192.0.2.2"));
  world.run(600_000);
  deliver(world.simulation, ["10.0.0.2"]);
  world.run(500);
  assert.equal(world.pinned(), "2 0 0");
});
