import assert from "node:assert/strict";
import { answering, ask } from "../support/engine/scenario.ts";
import { Simulation } from "../support/simulation/simulation.ts";

const FORWARDED = "192.0.2.7";
const CH = 3;

function start(plugins: string): Simulation {
  const simulation = new Simulation(`. {\n ${plugins}\n}`, { seed: 1 });
  simulation.upstream("10.0.0.1:53", answering(FORWARDED));
  return simulation;
}

function texts(records: unknown): string[] {
  return (records as { type: string; data: unknown }[]).map(({ type, data }) =>
    Array.isArray(data) ? data.join("|") : typeof data === "string" ? data : type
  );
}

const LOCAL = "local\n forward . 10.0.0.1";
const NO_PREFIX = LOCAL.replace("local", "local {\n localhost_prefix off\n }");

for (
  const [name, type, rcode, answers, authorities, plugins = LOCAL] of [
    ["localhost", "A", "NOERROR", ["127.0.0.1"], []],
    ["LocalHost", "AAAA", "NOERROR", ["::1"], []],
    ["a.b.localhost", "A", "NOERROR", ["127.0.0.1"], []],
    ["localhost.example.org", "A", "NOERROR", ["127.0.0.1"], []],
    ["localhost.example.org", "MX", "NOERROR", [], ["SOA"]],
    ["localhost.example.org", "A", "NOERROR", [FORWARDED], [], NO_PREFIX],
    ["localhosts.example.org", "A", "NOERROR", [FORWARDED], []],
    ["localhost", "TXT", "NOERROR", [], ["SOA"]],
    ["localhost", "SOA", "NOERROR", ["SOA"], []],
    ["localhost", "NS", "NOERROR", ["localhost"], []],
    ["1.0.0.127.in-addr.arpa", "PTR", "NOERROR", ["localhost"], []],
    ["1.0.0.127.in-addr.arpa", "A", "NOERROR", [], ["SOA"]],
    ["2.0.0.127.in-addr.arpa", "PTR", "NXDOMAIN", [], ["SOA"]],
    ["127.in-addr.arpa", "NS", "NOERROR", ["localhost"], []],
    ["127.in-addr.arpa", "SOA", "NOERROR", ["SOA"], []],
    ["127.in-addr.arpa", "A", "NOERROR", [], ["SOA"]],
    ["x.255.in-addr.arpa", "PTR", "NXDOMAIN", [], ["SOA"]],
    ["0.in-addr.arpa", "PTR", "NOERROR", [], ["SOA"]],
    ["example.org", "A", "NOERROR", [FORWARDED], []],
  ] as [string, string, string, string[], string[], string?][]
) {
  Deno.test(`local: ${name} ${type} is ${rcode} ${[...answers, ...authorities]}`, () => {
    const answer = ask(start(plugins), { name, type });
    assert.equal(answer.rcode, rcode);
    assert.deepEqual([texts(answer.answers), texts(answer.authorities)], [answers, authorities]);
  });
}

Deno.test("chaos: queries about the server are answered, others passed on", () => {
  const simulation = start('chaos v1 "zoe" adam\n forward . 10.0.0.1');
  const text = (name: string, type = "TXT") =>
    texts(ask(simulation, { name, type, qclass: CH }).answers);
  assert.deepEqual(text("Version.BIND"), ["v1"]);
  assert.deepEqual(text("version.server"), ["v1"]);
  assert.deepEqual(text("hostname.bind"), text("id.server"));
  assert.deepEqual(text("authors.bind").sort(), ["adam", "zoe"]);
  assert.deepEqual(texts(ask(simulation, { name: "version.bind", type: "TXT" }).answers), [
    FORWARDED,
  ]);
  assert.equal(simulation.seen.length, 1);
});

Deno.test("chaos: a name without an answering plugin gets SERVFAIL", () => {
  const simulation = start("chaos\n whoami");
  assert.equal(ask(simulation, { name: "x.bind", type: "TXT", qclass: CH }).rcode, "SERVFAIL");
});

Deno.test("header: responses have its flags, also from the cache", () => {
  const rules = "header {\n response set aa\n response clear ra rd\n }\n";
  const simulation = start(`cache\n ${rules} forward . 10.0.0.1`);
  for (let i = 0; i < 2; i++) {
    const { flag_aa, flag_ra, flag_rd } = ask(simulation, { name: "example.org" });
    assert.deepEqual([flag_aa, flag_ra, flag_rd], [true, false, false]);
  }
  assert.equal(simulation.seen.length, 1);
});

Deno.test("header: later plugins see its flags in queries", () => {
  for (const [rule, wanted] of [["query set rd", true], ["query clear rd", false]] as const) {
    const simulation = new Simulation(
      `. {\n header {\n ${rule}\n }\n forward . 10.0.0.1\n}`,
      { seed: 1 },
    );
    const seen: boolean[] = [];
    simulation.upstream("10.0.0.1:53", (query, ...rest) => {
      seen.push(query.flag_rd);
      return answering(FORWARDED)(query, ...rest);
    });
    ask(simulation, { name: "example.org", flags: wanted ? 0 : 0x0100 });
    assert.deepEqual(seen, [wanted]);
  }
});
