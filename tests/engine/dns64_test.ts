import assert from "node:assert/strict";
import type * as codec from "dns-packet";
import { a, cname, queryBytes, responseBytes, soa } from "../support/messages/messages.ts";
import { type Behaviour, onlyAnswer, Simulation } from "../support/simulation/simulation.ts";

const CLIENT_6 = "2001:db8::7";

function aaaa(name: string, data: string, ttl = 300): codec.Answer {
  return { type: "AAAA", name, ttl, data, class: "IN" };
}

const upstream: Behaviour = (query) => {
  const { name, type } = query.questions![0]!;
  const respond = (options: Parameters<typeof responseBytes>[1]) => [
    { bytes: responseBytes(query, options), delayMs: 2 },
  ];
  const [kind] = name.split(".");
  const denied = { authorities: [soa("test", 120)] };
  if (kind === "missing") return respond({ ...denied, rcode: 3 });
  if (kind === "broken") return respond({ rcode: type === "A" ? 2 : 0 });
  if (kind === "dual" && type === "AAAA") return respond({ answers: [aaaa(name, "2001:db8::1")] });
  if (kind === "mapped" && type === "AAAA") {
    return respond({ answers: [aaaa(name, "::ffff:192.0.2.1")] });
  }
  const alias = kind === "alias" ? [cname(name, "real.test", 90)] : [];
  if (type !== "A") return respond({ answers: alias, ...denied });
  if (kind === "none") return respond(denied);
  const owner = alias.length > 0 ? "real.test" : name;
  return respond({ answers: [...alias, a(owner, "192.0.2.33", 300)] });
};

function start(dns64: string, cache = ""): Simulation {
  const simulation = new Simulation(`. {\n ${dns64}\n ${cache}\n forward . 10.0.0.1\n}`);
  simulation.upstream("10.0.0.1:53", upstream);
  return simulation;
}

function ask(
  simulation: Simulation,
  { client = CLIENT_6, ...query }: Parameters<typeof queryBytes>[0] & { client?: string },
) {
  const asked = simulation.ask(queryBytes(query), 0, client);
  simulation.run(100);
  return onlyAnswer(asked);
}

function shown(records: readonly codec.Answer[] | undefined): string[] {
  return (records ?? []).filter(({ type }) => type !== "OPT").map((record) => {
    const { name, ttl, type, data } = record as unknown as Record<string, string>;
    return `${name} ${ttl} ${type} ${data}`;
  });
}

interface Case {
  title: string;
  dns64?: string;
  name: string;
  type?: string;
  client?: string;
  rcode?: string;
  answers: string[];
}

const CASES: Case[] = [
  {
    title: "a name without AAAA records gets them, no longer than the denial lives",
    name: "www.test",
    answers: ["www.test 120 AAAA 64:ff9b::c000:221"],
  },
  {
    title: "a prefix of the network's own",
    dns64: "dns64 2001:db8:64::/96",
    name: "www.test",
    answers: ["www.test 120 AAAA 2001:db8:64::c000:221"],
  },
  {
    title: "a prefix of 64 bits leaves bits 64 to 71 zero",
    dns64: "dns64 {\n prefix 2001:db8:64:1::/64\n }",
    name: "www.test",
    answers: ["www.test 120 AAAA 2001:db8:64:1:c0:2:2100:0"],
  },
  {
    title: "a prefix of 40 bits spans the reserved octet",
    dns64: "dns64 2001:db8:100::/40",
    name: "www.test",
    answers: ["www.test 120 AAAA 2001:db8:1c0:2:21::"],
  },
  {
    title: "AAAA records that exist are kept",
    name: "dual.test",
    answers: ["dual.test 300 AAAA 2001:db8::1"],
  },
  {
    title: "translate_all replaces them",
    dns64: "dns64 {\n translate_all\n }",
    name: "dual.test",
    answers: ["dual.test 300 AAAA 64:ff9b::c000:221"],
  },
  {
    title: "mapped IPv4 addresses do not count",
    name: "mapped.test",
    answers: ["mapped.test 300 AAAA 64:ff9b::c000:221"],
  },
  {
    title: "aliases stay in front",
    name: "alias.test",
    answers: ["alias.test 90 CNAME real.test", "real.test 120 AAAA 64:ff9b::c000:221"],
  },
  {
    title: "a name that does not exist stays so",
    name: "missing.test",
    rcode: "NXDOMAIN",
    answers: [],
  },
  { title: "a name without either has no records", name: "none.test", answers: [] },
  {
    title: "a failure of the second query is one",
    name: "broken.test",
    rcode: "SERVFAIL",
    answers: [],
  },
  {
    title: "queries for A records are not touched",
    name: "www.test",
    type: "A",
    answers: ["www.test 300 A 192.0.2.33"],
  },
  {
    title: "queries over IPv4 are not translated",
    name: "www.test",
    client: "192.0.2.8",
    answers: [],
  },
  {
    title: "unless allow_ipv4 is set",
    dns64: "dns64 {\n allow_ipv4\n }",
    name: "www.test",
    client: "192.0.2.8",
    answers: ["www.test 120 AAAA 64:ff9b::c000:221"],
  },
];

for (const { title, dns64 = "dns64", name, type = "AAAA", rcode, answers, client } of CASES) {
  for (const cache of ["", "cache"]) {
    Deno.test(`dns64: ${title}${cache && ", through the cache"}`, () => {
      const simulation = start(dns64, cache);
      for (let turn = 0; turn < 2; turn++) {
        const answer = ask(simulation, { name, type, ...client !== undefined && { client } });
        assert.equal(answer.rcode, rcode ?? "NOERROR");
        // Cached answers have one TTL for all records.
        const plain = (line: string) => cache === "" ? line : line.replace(/ \d+ /, " ");
        assert.deepEqual(shown(answer.answers).map(plain), answers.map(plain));
      }
    });
  }
}

Deno.test("dns64: a validating client gets unchanged data", () => {
  const simulation = start("dns64");
  const flags = 0x0110;
  const query = { name: "www.test", type: "AAAA", edns: 1232, dnssecOk: true, flags };
  assert.deepEqual(shown(ask(simulation, query).answers), []);
});

Deno.test("dns64: with the cache, five equal queries cause two upstream queries", () => {
  const simulation = start("dns64", "cache");
  for (let i = 0; i < 5; i++) ask(simulation, { name: "www.test", type: "AAAA" });
  assert.equal(simulation.seen.length, 2);
});
