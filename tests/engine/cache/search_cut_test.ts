import assert from "node:assert/strict";
import {
  a,
  cname,
  decode,
  errorCodes,
  queryBytes,
  responseBytes,
  soa,
} from "../../support/messages/messages.ts";
import { CacheWorld, dataOf, failing } from "../../support/simulation/cache_world.ts";
import { CacheVerbs } from "../../support/simulation/cache_verbs.ts";
import { explainIn, stepOf } from "../../support/engine/explained.ts";
import { seeded } from "../../support/run/random.ts";
import { deliver } from "../../support/simulation/forwarding.ts";
import { type Behaviour, onlyAnswer } from "../../support/simulation/simulation.ts";

const ZONE = "cluster.local";
const SERVICES = ["kubernetes.default", "api.shop", "db.shop"];

interface Faults {
  /** Names that are denied, although names below them exist. */
  denied?: readonly string[];
  services?: readonly string[];
  /** Answers for names without which the server would deny them. */
  more?: Record<string, "A" | "CNAME" | "AAAA" | "SERVFAIL">;
  ttl?: number;
}

/** The DNS of a cluster, as CoreDNS answers with its plugin kubernetes. */
function cluster(
  { denied = [], services = SERVICES, more = {}, ttl = 30 }: Faults = {},
): Behaviour {
  return (query) => {
    const { name: spelled, type } = query.questions![0]!;
    const name = spelled.toLowerCase();
    const reply = (options: Parameters<typeof responseBytes>[1]) => [
      { bytes: responseBytes(query, options), delayMs: 1 },
    ];
    const none = (rcode: number) => reply({ rcode, authorities: [soa(ZONE, ttl)] });
    const own = more[name];
    if (own === "SERVFAIL") return reply({ rcode: 2 });
    if (own === "CNAME") {
      return reply({
        rcode: 3,
        answers: [cname(name, "gone.example.org", ttl)],
        authorities: [soa(ZONE, ttl)],
      });
    }
    if (own !== undefined) {
      return own === type
        ? reply({
          answers: [
            own === "A"
              ? a(name, "10.1.1.1", ttl)
              : { type: "AAAA", name, ttl, data: "2001:db8::1" },
          ],
        })
        : none(own === "A" ? 0 : 3);
    }
    if (denied.includes(name)) return none(3);
    const labels = name.endsWith(`.${ZONE}`) ? name.slice(0, -ZONE.length - 1).split(".") : [];
    if (!`.${name}`.endsWith(`.${ZONE}`)) return reply({ answers: [a(name, "192.0.2.9", ttl)] });
    const [kind, namespace, service, pod, ...rest] = labels.toReversed();
    if (kind === undefined) return none(0);
    if (kind !== "svc" || rest.length > 0) return none(3);
    if (namespace === undefined) return none(0);
    if (service === undefined) {
      return none(services.some((one) => one.endsWith(`.${namespace}`)) ? 0 : 3);
    }
    if (!services.includes(`${service}.${namespace}`)) return none(3);
    if (pod !== undefined && !/^web-\d$/.test(pod)) return none(3);
    return type === "A"
      ? reply({ answers: [a(name, pod === undefined ? "10.0.0.1" : "10.0.0.2", ttl)] })
      : none(0);
  };
}

class World extends CacheWorld {
  #answersBefore = 0;

  constructor(faults: Faults = {}, { options = "", forward = "" } = {}) {
    super(cluster(faults), `search_cut ${ZONE}\n ${options}`, { forward });
  }

  get asked(): string[] {
    const seen = this.simulation.seen.map((line) => line.split(" ")[2]!);
    this.simulation.seen.length = 0;
    return seen;
  }

  told(name: string, query: Parameters<CacheWorld["ask"]>[0] = {}): string {
    const answer = this.ask({ name, edns: 1232, ...query });
    const codes = errorCodes(answer);
    return dataOf(answer) + (codes.length === 0 ? "" : ` ede ${codes}`);
  }

  /** The first junk names, which start the check and the probes. */
  learn(): this {
    for (let i = 0; i < 3; i++) {
      for (const suffix of ["shop.svc.", "svc.", ""]) {
        this.told(`junk${i}.example.org.${suffix}${ZONE}`);
      }
      this.run(50);
    }
    this.asked;
    this.#answersBefore = this.count("nodens_cache_search_cut_answers_total");
    return this;
  }

  /** Since `learn`. */
  get answers(): number {
    return this.count("nodens_cache_search_cut_answers_total") - this.#answersBefore;
  }

  zones(state: string): number {
    const { counters } = this.simulation;
    return counters.places
      .filter(({ name, labels }) =>
        name === "nodens_cache_search_cut_zones" && labels.state === state
      )
      .reduce((sum, { index }) => sum + counters.values[index]!, 0);
  }

  get warnings(): string[] {
    return this.simulation.logs.filter((line) => line.includes("search_cut"));
  }
}

const CUT = "NXDOMAIN ede 29";

Deno.test("search_cut: denials of junk names are answered without the upstream", () => {
  const world = new World().learn();
  assert.equal(world.zones("on"), 1);
  assert.equal(world.count("nodens_cache_search_cuts"), 3);
  for (const suffix of ["shop.svc.", "svc.", ""]) {
    for (const host of ["www", "a.b.c", "x"]) {
      for (const type of ["A", "AAAA", "HTTPS", "ANY"]) {
        const name = `${host}.example.org.${suffix}${ZONE}`;
        assert.equal(world.told(name, { type }), CUT, `${name} ${type}`);
      }
    }
  }
  assert.deepEqual(world.asked, []);
  assert.equal(world.answers, 36);
  assert.deepEqual(world.warnings, []);
});

Deno.test("search_cut: explain names it, and changes nothing", () => {
  const world = new World().learn();
  const name = `new.example.org.shop.svc.${ZONE}`;
  const { verdict, reason } = stepOf(explainIn(world.simulation, { name }), "cache");
  assert.equal(verdict, "answers");
  assert.match(reason, /^denies it, for \d+ s more: a name above it does not exist/);
  assert.equal(world.answers, 0);
  assert.equal(world.told(name), CUT);
});

Deno.test("search_cut: an answer has the client's question, the SOA record and its remaining TTL", () => {
  const world = new World().learn();
  world.run(10_000);
  const name = `WWW.Example.org.shop.svc.${ZONE}`;
  const asked = world.send({ name, edns: 1232 });
  const answer = onlyAnswer(asked);
  assert.equal(asked.answers[0]!.atMs, asked.atMs);
  assert.equal(answer.questions![0]!.name, name);
  assert.equal(answer.flag_aa && answer.flag_ra, true);
  assert.deepEqual(answer.answers, []);
  assert.equal(answer.authorities!.length, 1);
  const [record] = answer.authorities as {
    name: string;
    type: string;
    ttl: number;
    data: unknown;
  }[];
  assert.equal(record!.name, ZONE);
  assert.deepEqual(record!.data, (soa(ZONE, 30) as { data: unknown }).data);
  assert.ok(record!.ttl > 15 && record!.ttl < 21, `${record!.ttl}`);
  const again = onlyAnswer(world.send({ name, edns: 1232 }));
  assert.equal(again.rcode, "NXDOMAIN");
  assert.deepEqual(again.authorities, answer.authorities);
  assert.equal(world.answers, 1);
});

Deno.test("search_cut: names of services, pods and other zones are asked for", () => {
  const world = new World().learn();
  for (
    const [name, expected] of [
      [`api.shop.svc.${ZONE}`, "10.0.0.1"],
      [`web-0.db.shop.svc.${ZONE}`, "10.0.0.2"],
      [`nosuch.shop.svc.${ZONE}`, "NXDOMAIN"],
      [`web-x.db.shop.svc.${ZONE}`, "NXDOMAIN"],
      [`nosuch.${ZONE}`, "NXDOMAIN"],
      [`nosuch.svc.${ZONE}`, "NXDOMAIN"],
      [`1-2-3-4.shop.pod.${ZONE}`, "NXDOMAIN"],
      ["www.example.org", "192.0.2.9"],
      [`www.example.org.not${ZONE}`, "192.0.2.9"],
    ] as const
  ) {
    world.asked;
    assert.equal(world.told(name), expected);
    assert.equal(world.asked[0], name);
  }
  assert.equal(world.answers, 0);
});

Deno.test("search_cut: one query a top label and suffix lasts for the TTL of the denial", () => {
  const world = new World().learn();
  for (let i = 0; i < 600; i++) {
    assert.equal(world.told(`w${i}.example.org.shop.svc.${ZONE}`), CUT);
    world.run(950);
  }
  const asked = world.asked;
  assert.ok(asked.length > 15 && asked.length < 30, `${asked.length}`);
  assert.deepEqual(
    [...new Set(asked)].sort(),
    [
      `default.svc.${ZONE}`,
      `kubernetes.default.svc.${ZONE}`,
      `org.shop.svc.${ZONE}`,
      `svc.${ZONE}`,
    ].filter((name) => asked.includes(name)),
  );
});

Deno.test("search_cut: a cut ends with its denial", () => {
  const world = new World().learn();
  world.run(31_000);
  assert.equal(world.told(`www.example.org.shop.svc.${ZONE}`), "NXDOMAIN");
  assert.equal(world.asked[0], `www.example.org.shop.svc.${ZONE}`);
});

Deno.test("search_cut: a new service with the name of a top label is found after the TTL", () => {
  const world = new World().learn();
  world.behaviour = cluster({ services: [...SERVICES, "org.shop"] });
  assert.equal(world.told(`web-0.org.shop.svc.${ZONE}`), CUT);
  world.run(31_000);
  assert.equal(world.told(`web-0.org.shop.svc.${ZONE}`), "10.0.0.2");
  assert.equal(world.told(`x.example.org.shop.svc.${ZONE}`), "NXDOMAIN");
});

Deno.test("search_cut: a service is found at once if a client asks for it with another type", () => {
  const name = `org.shop.svc.${ZONE}`;
  const world = new World().learn();
  world.behaviour = cluster({ more: { [name]: "AAAA", [`x.${name}`]: "A" } });
  assert.equal(world.told(name, { type: "AAAA" }), "2001:db8::1");
  assert.equal(world.told(`x.${name}`), "10.1.1.1");
});

for (
  const { title, denied, services, why } of [
    {
      title: "a name with services below it",
      denied: [`default.svc.${ZONE}`],
      why: `its upstream denies default.svc.${ZONE}., although names below it exist`,
    },
    {
      title: "the name svc",
      denied: [`svc.${ZONE}`],
      why: `its upstream denies svc.${ZONE}., although names below it exist`,
    },
    {
      title: "every service, as outside of a cluster",
      services: [],
      why: `kubernetes.default.svc.${ZONE}. does not exist, so its upstream cannot be checked`,
    },
  ] as { title: string; denied?: string[]; services?: string[]; why: string }[]
) {
  Deno.test(`search_cut: an upstream that denies ${title} is not relied on`, () => {
    const faults = { ...denied && { denied }, ...services && { services } };
    const world = new World(faults).learn().learn();
    assert.equal(world.zones("off"), 1);
    for (let i = 0; i < 200; i++) world.told(`w${i}.example.org.${ZONE}`);
    assert.equal(world.asked.length, 200);
    assert.equal(world.answers, 0);
    assert.deepEqual(world.warnings, [
      `warning: plugin/cache: search_cut: off for ${ZONE}.: ${why}`,
    ]);
  });
}

Deno.test("search_cut: the upstream is checked again from time to time", () => {
  const world = new World().learn();
  const junk = (i: number) => {
    world.told(`w${i}.example.org.shop.svc.${ZONE}`);
    world.run(31_000);
  };
  world.behaviour = cluster({ denied: [`default.svc.${ZONE}`] });
  for (let i = 0; i < 40; i++) junk(i);
  assert.equal(world.zones("off"), 1);
  world.behaviour = cluster();
  for (let i = 0; i < 40; i++) junk(i);
  assert.equal(world.zones("on"), 1);
  assert.deepEqual(world.warnings.map((line) => line.split(":").slice(2, 4).join(":").trim()), [
    `search_cut: off for ${ZONE}.`,
    `search_cut: on for ${ZONE}. again`,
  ]);
});

Deno.test("search_cut: a check that fails is repeated, and nothing is cut meanwhile", () => {
  const name = `default.svc.${ZONE}`;
  const world = new World({ more: { [name]: "SERVFAIL" } }).learn().learn();
  assert.equal(world.zones("unchecked"), 1);
  assert.equal(world.answers, 0);
  world.behaviour = cluster();
  world.run(40_000);
  world.learn();
  assert.equal(world.zones("on"), 1);
});

Deno.test("search_cut: a name below which names were found is not cut", () => {
  const denied = `dev.${ZONE}`;
  const world = new World({ more: { [`x.${denied}`]: "A", [denied]: "AAAA" } }).learn();
  assert.equal(world.told(`x.${denied}`), "10.1.1.1");
  for (let i = 0; i < 5; i++) assert.equal(world.told(`y${i}.${denied}`), "NXDOMAIN");
  world.run(20_000);
  assert.equal(world.told(`x.${denied}`), "10.1.1.1");
  assert.equal(world.answers, 0);
});

Deno.test("search_cut: an alias with a denied target exists", () => {
  const name = `org.shop.svc.${ZONE}`;
  const world = new World({ more: { [name]: "CNAME" } }).learn();
  assert.equal(world.told(name), "gone.example.org");
  world.told(`first.example.org.shop.svc.${ZONE}`);
  world.asked;
  assert.equal(world.told(`www.example.org.shop.svc.${ZONE}`), "NXDOMAIN");
  assert.equal(world.asked.length, 1);
});

for (
  const [what, query] of [
    ["with DO", { dnssecOk: true }],
    ["with CD", { flags: 0x110 }],
    ["of another class", { qclass: 3 }],
  ] as const
) {
  Deno.test(`search_cut: a query ${what} goes to the upstream`, () => {
    const world = new World().learn();
    world.ask({ name: `w.example.org.shop.svc.${ZONE}`, edns: 1232, ...query });
    assert.equal(world.asked[0], `w.example.org.shop.svc.${ZONE}`);
    assert.equal(world.answers, 0);
  });
}

for (const options of ["serve_stale", "serve_stale 1h verify 100ms", "prefetch 1"]) {
  Deno.test(`search_cut with ${options}: stale denials do not reach the upstream, answers do`, () => {
    const name = `w.example.org.shop.svc.${ZONE}`;
    const world = new World({}, { options });
    world.told(`api.shop.svc.${ZONE}`);
    world.told(name);
    world.run(31_000);
    world.learn();
    assert.equal(world.told(name), CUT);
    assert.deepEqual(world.asked, []);
    const answer = world.told(`api.shop.svc.${ZONE}`);
    assert.equal(answer, options === "serve_stale" ? "10.0.0.1 ede 3" : "10.0.0.1");
    assert.ok(world.asked.length > 0);
  });
}

Deno.test("search_cut: while the upstream fails, denials in force are used and no others", () => {
  const world = new World().learn();
  world.behaviour = failing;
  assert.equal(world.told(`v.example.org.shop.svc.${ZONE}`), CUT);
  world.run(31_000);
  assert.equal(world.told(`u.example.org.shop.svc.${ZONE}`), "SERVFAIL");
});

Deno.test("search_cut: a flood of other top labels adds few queries", () => {
  const world = new World().learn();
  for (let i = 0; i < 2000; i++) {
    world.send({ name: `a.l${i}.shop.svc.${ZONE}` }, `192.0.2.${i % 200}`);
    world.run(5);
  }
  const probes = world.asked.length - 2000;
  assert.ok(probes > 50 && probes < 250, `${probes}`);
  assert.equal(world.simulation.engine.waiting, 0);
});

Deno.test("search_cut: names with the most labels and octets are answered", () => {
  const world = new World().learn();
  const most = 255 - `.org.shop.svc.${ZONE}.`.length - 1;
  const names = [
    "a.".repeat(Math.floor(most / 2)).slice(0, -1),
    `${"b".repeat(63)}.${"c".repeat(63)}.${"d".repeat(63)}.e`,
    "a\\.b\\000\\255",
    "*",
    "svc",
  ];
  for (const name of names) {
    assert.equal(world.told(`${name}.org.shop.svc.${ZONE}`), CUT, name);
  }
  // Octets that are no letters, and a name that only looks like the zone.
  const bytes = queryBytes({ name: `a.b.org.shop.svc.${ZONE}` });
  bytes[13] = 0;
  const asked = world.simulation.ask(bytes);
  world.run(10);
  assert.equal(decode(asked.answers[0]!.bytes).rcode, "NXDOMAIN");
  assert.deepEqual(world.asked, []);
});

Deno.test("search_cut: ecs pass: a query with a client subnet goes to the upstream", () => {
  const world = new World({}, { forward: "ecs pass" }).learn();
  const data = Uint8Array.of(0, 1, 24, 0, 192, 0, 2);
  world.ask({
    name: `w.example.org.shop.svc.${ZONE}`,
    edns: 1232,
    ednsOptions: [{ code: 8, data }],
  });
  assert.equal(world.asked[0], `w.example.org.shop.svc.${ZONE}`);
  assert.equal(world.told(`v.example.org.shop.svc.${ZONE}`), CUT);
});

Deno.test("search_cut: a reload keeps what was learnt, and off is off", () => {
  const world = new World().learn();
  const corefile = (options: string) => `. {\n cache {\n ${options}\n }\n forward . 10.0.0.1\n}`;
  world.simulation.reload(corefile(`search_cut ${ZONE}\n prefetch 2`));
  assert.equal(world.told(`w.example.org.shop.svc.${ZONE}`), CUT);
  assert.equal(world.zones("on"), 1);
  world.simulation.reload(corefile(""));
  assert.equal(world.told(`v.example.org.shop.svc.${ZONE}`), "NXDOMAIN");
  assert.equal(world.asked[0], `v.example.org.shop.svc.${ZONE}`);
  assert.equal(world.zones("on"), 0);
  assert.equal(world.count("nodens_cache_search_cuts"), 0);
});

Deno.test("search_cut: answers do not disturb what other handlers write", () => {
  const world = new World().learn();
  assert.equal(world.told(`w.example.org.shop.svc.${ZONE}`), CUT);
  world.simulation.reload(`. {\n any\n cache {\n search_cut ${ZONE}\n }\n forward . 10.0.0.1\n}`);
  assert.equal(world.told(`w2.example.org.shop.svc.${ZONE}`), CUT);
  const answer = world.ask({ name: "www.example.org", type: "ANY" });
  assert.equal(answer.answers!.length, 1);
  assert.equal((answer.answers![0] as { type: string }).type, "HINFO");
});

Deno.test("search_cut: a flush of the denied name ends the cut", async () => {
  const world = new World().learn();
  const name = `w.example.org.shop.svc.${ZONE}`;
  await new CacheVerbs(world.simulation).flush({ name: `org.shop.svc.${ZONE}` });
  assert.equal(world.told(name), "NXDOMAIN");
  assert.equal(world.asked[0], name);
});

Deno.test("search_cut: other servers are checked again", () => {
  const world = new World().learn();
  world.simulation.upstream("10.0.0.2:53", cluster({ denied: [`default.svc.${ZONE}`] }));
  deliver(world.simulation, ["10.0.0.2"]);
  assert.equal(world.zones("unchecked"), 1);
  assert.equal(world.count("nodens_cache_search_cuts"), 0);
  world.learn();
  assert.equal(world.told(`w.example.org.shop.svc.${ZONE}`), "NXDOMAIN");
  assert.equal(world.zones("off"), 1);
});

for (const seed of [1, 2, 3, 4, 5, 6]) {
  Deno.test(`search_cut: while services come and go, answers are at most a TTL old (seed ${seed})`, () => {
    const dice = seeded(seed);
    const pick = <T>(list: readonly T[]) => list[dice() % list.length]!;
    const world = new World();
    const namespaces = ["default", "shop", "org", "example"];
    const labels = ["api", "org", "example", "www", "web-0", "web-1", "com", "svc"];
    let services = SERVICES;
    const history = [{ atMs: world.simulation.nowMs, truth: cluster({ services }) }];
    const rcodeIn = (truth: Behaviour, name: string): string => {
      const query = decode(queryBytes({ name }));
      const [reply] = truth(query, "udp") as { bytes: Uint8Array }[];
      return decode(reply!.bytes).rcode;
    };
    for (let i = 0; i < 1500; i++) {
      if (dice() % 40 === 0) {
        const one = `${pick(labels)}.${pick(namespaces)}`;
        const others = services.filter((other) => other !== one);
        services = others.length < services.length ? others : [...services, one];
        if (!services.includes("kubernetes.default")) services = [...services, SERVICES[0]!];
        world.behaviour = cluster({ services });
        history.push({ atMs: world.simulation.nowMs, truth: world.behaviour });
      }
      const above = Array.from({ length: dice() % 4 }, () => pick(labels));
      const suffix = pick(["", "svc", ...namespaces.map((one) => `${one}.svc`)]);
      const name = [...above, suffix, ZONE].filter((part) => part !== "").join(".");
      const answer = world.ask({ name, type: pick(["A", "A", "AAAA"]) }, { waitMs: 20 });
      const sinceMs = world.simulation.nowMs - 31_000;
      const valid = history.filter((_, at) => (history[at + 1]?.atMs ?? Infinity) > sinceMs);
      const rcodes = valid.map(({ truth }) => rcodeIn(truth, name));
      assert.ok(rcodes.includes(answer.rcode), `${name}: ${answer.rcode}, not ${rcodes}`);
      world.run(dice() % 1500);
    }
    assert.ok(world.answers > 100, `${world.answers}`);
  });
}
