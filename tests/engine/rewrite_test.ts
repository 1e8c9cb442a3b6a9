import assert from "node:assert/strict";
import type * as codec from "dns-packet";
import { a, cname, queryBytes, responseBytes, soa } from "../support/messages/messages.ts";
import { type Behaviour, onlyAnswer, Simulation } from "../support/simulation/simulation.ts";

/** Answers of the upstream by name; every other name has one address. */
const RECORDS: Record<string, codec.Answer[]> = {
  "alias.test": [
    cname("alias.test", "Web.Cluster.local"),
    cname("web.cluster.local", "edge.cdn.test", 200),
    a("edge.cdn.test", "192.0.2.9"),
  ],
  "mail.cluster.local": [
    {
      type: "MX",
      name: "mail.cluster.local",
      class: "IN",
      ttl: 60,
      data: { preference: 5, exchange: "mx.mail.cluster.local" },
    },
  ],
  "_http._tcp.cluster.local": [
    {
      type: "SRV",
      name: "_http._tcp.cluster.local",
      class: "IN",
      ttl: 60,
      data: { priority: 1, weight: 2, port: 80, target: "web.cluster.local" },
    },
  ],
  "30.2.0.192.in-addr.arpa": [
    { type: "PTR", name: "30.2.0.192.in-addr.arpa", class: "IN", ttl: 60, data: "ftp.svc.consul" },
  ],
};

const upstream: Behaviour = (query) => {
  const { name, type } = query.questions![0]!;
  const key = name.toLowerCase();
  if (key.startsWith("missing.")) {
    const bytes = responseBytes(query, { rcode: 3, authorities: [soa("cluster.local")] });
    return [{ bytes, delayMs: 2 }];
  }
  if (key.startsWith("broken.")) return [{ bytes: responseBytes(query, { rcode: 2 }), delayMs: 2 }];
  if (type === "HINFO") {
    const data = { cpu: "none", os: "none" };
    const answers: codec.Answer[] = [{ type: "HINFO", name, class: "IN", ttl: 60, data }];
    return [{ bytes: responseBytes(query, { answers }), delayMs: 2 }];
  }
  const answers = RECORDS[key] ?? [a(name, "192.0.2.7")];
  return [{ bytes: responseBytes(query, { answers }), delayMs: 2 }];
};

function start(plugins: string): Simulation {
  const simulation = new Simulation(`. {\n errors\n ${plugins}\n forward . 10.0.0.1\n}`);
  simulation.upstream("10.0.0.1:53", upstream);
  return simulation;
}

function ask(simulation: Simulation, name: string, type = "A") {
  const asked = simulation.ask(queryBytes({ name, type, edns: 1232 }));
  simulation.run(100);
  return onlyAnswer(asked);
}

function shown(records: readonly codec.Answer[] | undefined): string[] {
  return (records ?? []).filter(({ type }) => type !== "OPT").map((record) => {
    const { name, ttl, type, data } = record as { name: string; ttl: number } & {
      type: string;
      data: unknown;
    };
    return `${name} ${ttl} ${type} ${typeof data === "string" ? data : JSON.stringify(data)}`;
  });
}

interface Case {
  title: string;
  rules: string;
  ask: [name: string, type?: string];
  seen: string[];
  rcode?: string;
  answers: string[];
}

const CASES: Case[] = [
  {
    title: "an exact name is asked as another, and the answer has the client's name",
    rules: "rewrite name old.example.org new.cluster.local",
    ask: ["OLD.example.org"],
    seen: ["new.cluster.local A"],
    answers: ["OLD.example.org 300 A 192.0.2.7"],
  },
  {
    title: "a name that no rule matches is asked as it is",
    rules: "rewrite name old.example.org new.cluster.local",
    ask: ["older.example.org"],
    seen: ["older.example.org A"],
    answers: ["older.example.org 300 A 192.0.2.7"],
  },
  {
    title: "a suffix with answer auto changes names in owners and data back",
    rules: "rewrite stop {\n name suffix .example.org .cluster.local answer auto\n }",
    ask: ["mail.example.org", "MX"],
    seen: ["mail.cluster.local MX"],
    answers: ['mail.example.org 60 MX {"preference":5,"exchange":"mx.mail.example.org"}'],
  },
  {
    title: "a suffix without answer auto leaves the owner as it is",
    rules: "rewrite name suffix .example.org .cluster.local",
    ask: ["www.example.org"],
    seen: ["www.cluster.local A"],
    answers: ["www.cluster.local 300 A 192.0.2.7"],
  },
  {
    title: "targets of SRV records are changed back",
    rules: "rewrite name suffix example.org. cluster.local. answer auto",
    ask: ["_http._tcp.example.org", "SRV"],
    seen: ["_http._tcp.cluster.local SRV"],
    answers: [
      '_http._tcp.example.org 60 SRV {"priority":1,"weight":2,"port":80,"target":"web.example.org"}',
    ],
  },
  {
    title: "a prefix is whole labels",
    rules: "rewrite name prefix dev prod answer auto",
    ask: ["dev.example.org"],
    seen: ["prod.example.org A"],
    answers: ["dev.example.org 300 A 192.0.2.7"],
  },
  {
    title: "a prefix that is part of a label does not match",
    rules: "rewrite name prefix dev prod answer auto",
    ask: ["device.example.org"],
    seen: ["device.example.org A"],
    answers: ["device.example.org 300 A 192.0.2.7"],
  },
  {
    title: "a substring is replaced",
    rules: "rewrite name substring service.example.org service.consul answer auto",
    ask: ["ftp.service.example.org"],
    seen: ["ftp.service.consul A"],
    answers: ["ftp.service.example.org 300 A 192.0.2.7"],
  },
  {
    title: "an expression with groups, and an answer by another expression",
    rules: "rewrite stop {\n name regex (.*)-(us-west-1)\\.example\\.org {1}.service.{2}.consul\n" +
      " answer name (.*)\\.service\\.(us-west-1)\\.consul {1}-{2}.example.org\n }",
    ask: ["ftp-us-west-1.example.org"],
    seen: ["ftp.service.us-west-1.consul A"],
    answers: ["ftp-us-west-1.example.org 300 A 192.0.2.7"],
  },
  {
    title: "a value is changed by an expression",
    rules: "rewrite stop {\n name suffix .arpa .arpa\n answer auto\n" +
      " answer value (.*)\\.svc\\.consul\\. {1}.example.org.\n }",
    ask: ["30.2.0.192.in-addr.arpa", "PTR"],
    seen: ["30.2.0.192.in-addr.arpa PTR"],
    answers: ["30.2.0.192.in-addr.arpa 60 PTR ftp.example.org"],
  },
  {
    title: "rules with continue apply one after the other",
    rules: "rewrite continue name suffix .org .net answer auto\n" +
      " rewrite name exact www.example.net www.cluster.local",
    ask: ["www.example.org"],
    seen: ["www.cluster.local A"],
    answers: ["www.example.org 300 A 192.0.2.7"],
  },
  {
    title: "the first rule that matches is the last one",
    rules: "rewrite name suffix .org .net answer auto\n" +
      " rewrite name exact www.example.net www.cluster.local",
    ask: ["www.example.org"],
    seen: ["www.example.net A"],
    answers: ["www.example.org 300 A 192.0.2.7"],
  },
  {
    title: "a type is asked as another, and the question keeps the client's",
    rules: "rewrite type ANY HINFO",
    ask: ["www.example.org", "ANY"],
    seen: ["www.example.org HINFO"],
    answers: ['www.example.org 60 HINFO {"cpu":"none","os":"none"}'],
  },
  {
    title: "a TTL is set",
    rules: "rewrite ttl www.example.org 15",
    ask: ["www.example.org"],
    seen: ["www.example.org A"],
    answers: ["www.example.org 15 A 192.0.2.7"],
  },
  {
    title: "a TTL is kept within a range",
    rules: "rewrite ttl suffix example.org 400-",
    ask: ["www.example.org"],
    seen: ["www.example.org A"],
    answers: ["www.example.org 400 A 192.0.2.7"],
  },
  {
    title: "a response code is changed in a response without records",
    rules: "rewrite continue {\n rcode regex (.*)\\.example\\.org SERVFAIL NOERROR\n }",
    ask: ["broken.example.org"],
    seen: ["broken.example.org A", "broken.example.org A"],
    rcode: "NOERROR",
    answers: [],
  },
  {
    title: "a denial of the other name is a denial of the client's",
    rules: "rewrite name missing.example.org missing.cluster.local",
    ask: ["missing.example.org"],
    seen: ["missing.cluster.local A"],
    rcode: "NXDOMAIN",
    answers: [],
  },
  {
    title: "an alias leads elsewhere, and what follows it is asked for",
    rules: "rewrite cname exact edge.cdn.test. other.cdn.test.",
    ask: ["alias.test"],
    seen: ["alias.test A", "other.cdn.test A"],
    answers: [
      "alias.test 300 CNAME Web.Cluster.local",
      "Web.Cluster.local 200 CNAME other.cdn.test",
      "other.cdn.test 300 A 192.0.2.7",
    ],
  },
  {
    title: "an alias that no rule matches stays",
    rules: "rewrite cname suffix .nowhere.test. .cdn.test.",
    ask: ["alias.test"],
    seen: ["alias.test A"],
    answers: [
      "alias.test 300 CNAME Web.Cluster.local",
      "Web.Cluster.local 200 CNAME edge.cdn.test",
      "edge.cdn.test 300 A 192.0.2.9",
    ],
  },
  {
    title: "a name that becomes too long fails",
    rules: `rewrite name suffix .org .${"a".repeat(60)}.${"b".repeat(60)}.${"c".repeat(60)}.` +
      `${"d".repeat(60)}.org`,
    ask: ["a-long-enough-label.example.org"],
    seen: [],
    rcode: "SERVFAIL",
    answers: [],
  },
];

for (const cache of ["", "cache\n "]) {
  const how = cache === "" ? "" : ", through the cache";
  for (const { title, rules, ask: [name, type], seen, rcode = "NOERROR", answers } of CASES) {
    Deno.test(`rewrite: ${title}${how}`, () => {
      const simulation = start(`${cache}${rules}`);
      for (let turn = 0; turn < 2; turn++) {
        const before = simulation.seen.length;
        const answer = ask(simulation, name, type);
        const asked = simulation.seen.slice(before).map((line) =>
          line.split(" ").slice(2).join(" ")
        );
        const cached = cache !== "" && turn > 0;
        assert.deepEqual(asked, cached ? [] : seen);
        assert.equal(answer.rcode, rcode);
        assert.deepEqual(answer.questions!.map(({ name, type }) => [name, type]), [
          [name, type ?? "A"],
        ]);
        // Cached answers have one TTL for all records.
        const withoutTtl = (line: string) => cache === "" ? line : line.replace(/ \d+ /, " ");
        assert.deepEqual(shown(answer.answers).map(withoutTtl), answers.map(withoutTtl));
      }
    });
  }
}

Deno.test("rewrite: a rewritten name and its target share a cache entry", () => {
  const simulation = start("cache\n rewrite name old.example.org new.cluster.local");
  ask(simulation, "old.example.org");
  const answer = ask(simulation, "new.cluster.local");
  assert.deepEqual(shown(answer.answers), ["new.cluster.local 300 A 192.0.2.7"]);
  assert.equal(simulation.seen.length, 1);
});

Deno.test("rewrite: acl sees the rewritten name, and its refusal has the client's name", () => {
  const simulation = start(
    "rewrite name old.example.org new.cluster.local\n acl cluster.local {\n block net *\n }",
  );
  const answer = ask(simulation, "old.example.org");
  assert.equal(answer.rcode, "REFUSED");
  assert.equal(answer.questions![0]!.name, "old.example.org");
  assert.equal(ask(simulation, "www.example.org").rcode, "NOERROR");
});

Deno.test("rewrite: a dropped query does not affect the next one", () => {
  const simulation = start(
    "rewrite name old.example.org new.cluster.local\n acl cluster.local {\n drop net *\n }",
  );
  assert.equal(simulation.ask(queryBytes({ name: "old.example.org" })).answers.length, 0);
  const answer = ask(simulation, "www.example.org");
  assert.deepEqual(shown(answer.answers), ["www.example.org 300 A 192.0.2.7"]);
});

Deno.test("rewrite: queries that share an upstream query get their own names", () => {
  const simulation = start("cache\n rewrite name suffix .example.org .cluster.local answer auto");
  const asked = ["www.example.org", "www.cluster.local", "WWW.example.org"].map((name) =>
    simulation.ask(queryBytes({ name }))
  );
  simulation.run(100);
  assert.deepEqual(asked.map((one) => shown(onlyAnswer(one).answers)), [
    ["www.example.org 300 A 192.0.2.7"],
    ["www.cluster.local 300 A 192.0.2.7"],
    ["WWW.example.org 300 A 192.0.2.7"],
  ]);
  assert.equal(simulation.seen.length, 1);
});
