import assert from "node:assert/strict";
import { loadPatterns } from "../../src/plugins/pattern.ts";
import { a, queryBytes, responseBytes } from "../support/messages/messages.ts";
import { type Behaviour, onlyAnswer, Simulation } from "../support/simulation/simulation.ts";

await loadPatterns();

const FORWARDED = "192.0.2.7";
const MAPPED = `
  template IN A example {
    match ^ip-(?P<a>[0-9]+)-(?P<b>[0-9]+)-(?P<c>[0-9]+)-(?P<d>[0-9]+)[.]example[.]$
    match ^hex-(?P<a>10)(?P<b>)-([0-9a-f]{2})[.]example[.]$
    answer "{{ .Name }} 60 IN A {{ .Group.a }}.{{ or .Group.b 0 }}.{{ if .Group.c }}{{ .Group.c }}.{{ .Group.d }}{{ else }}0.{{ parseInt (index .Match 3) 16 8 }}{{ end }}"
    authority "example. 60 IN NS ns.example."
    additional "ns.example. 60 IN A 192.0.2.53"
    fallthrough
  }`;

const answering: Behaviour = (query) => {
  const { name } = query.questions![0]!;
  return [{ bytes: responseBytes(query, { answers: [a(name, FORWARDED)] }), delayMs: 10 }];
};

function start(plugins: string, upstream: Behaviour = answering): Simulation {
  const corefile = `. {\n errors\n prometheus\n ${plugins}\n forward . 10.0.0.1\n}`;
  const simulation = new Simulation(corefile, { seed: 1 });
  simulation.upstream("10.0.0.1:53", upstream);
  return simulation;
}

interface Case {
  title: string;
  plugins: string;
  ask: [name: string, type?: string];
  rcode?: string;
  /** Data of the answers; their types where it is no text. */
  answers: string[];
  authorities?: string[];
}

const CASES: Case[] = [
  {
    title: "a name below a zone that has enough labels is denied",
    plugins: "template ANY ANY internal.test {\n match ^(?:[^.]+\\.){4,}internal\\.test\\.$\n" +
      " rcode NXDOMAIN\n fallthrough\n }",
    ask: ["a.b.c.d.internal.test"],
    rcode: "NXDOMAIN",
    answers: [],
  },
  {
    title: "a name with fewer labels falls through to the upstream",
    plugins: "template ANY ANY internal.test {\n match ^(?:[^.]+\\.){4,}internal\\.test\\.$\n" +
      " rcode NXDOMAIN\n fallthrough\n }",
    ask: ["a.b.c.internal.test"],
    answers: [FORWARDED],
  },
  {
    title: "a zone without a pattern is denied altogether, in any case",
    plugins: "template ANY ANY gone.test {\n rcode NXDOMAIN\n }",
    ask: ["Www.GONE.test"],
    rcode: "NXDOMAIN",
    answers: [],
  },
  {
    title: "a filter of AAAA answers with nothing",
    plugins: "template ANY AAAA {\n rcode NOERROR\n }",
    ask: ["www.test", "AAAA"],
    answers: [],
  },
  {
    title: "a filter of AAAA lets A pass",
    plugins: "template ANY AAAA {\n rcode NOERROR\n }",
    ask: ["www.test", "A"],
    answers: [FORWARDED],
  },
  {
    title: "a filter of AAAA with an authority carries its SOA",
    plugins: 'template ANY AAAA {\n authority "{{ .Zone }} 30 IN SOA ns.test. host.test. ' +
      '(1 60 60 60 30)"\n }',
    ask: ["www.test", "AAAA"],
    answers: [],
    authorities: ["SOA"],
  },
  {
    title: "named groups make an address",
    plugins: MAPPED,
    ask: ["ip-10-1-2-3.example"],
    answers: ["10.1.2.3"],
    authorities: ["ns.example"],
  },
  {
    title: "the second pattern is tried, and a group that takes no part is empty",
    plugins: MAPPED,
    ask: ["hex-10-ff.example"],
    answers: ["10.0.0.255"],
    authorities: ["ns.example"],
  },
  {
    title: "an answer that is not an address is SERVFAIL",
    plugins: MAPPED,
    ask: ["ip-10-1-2-300.example"],
    rcode: "SERVFAIL",
    answers: [],
  },
  {
    title: "without fallthrough a name that no pattern matches is SERVFAIL",
    plugins: 'template IN A example {\n match ^a\n answer "{{ .Name }} A 10.0.0.1"\n }',
    ask: ["b.example"],
    rcode: "SERVFAIL",
    answers: [],
  },
  {
    title: "fallthrough for another zone does not help",
    plugins: "template IN A example {\n match ^a\n rcode NXDOMAIN\n fallthrough other.example\n }",
    ask: ["b.example"],
    rcode: "SERVFAIL",
    answers: [],
  },
  {
    title: "the next template is tried after fallthrough",
    plugins: "template IN A example {\n match ^a\n rcode NXDOMAIN\n fallthrough\n }\n" +
      ' template IN A example {\n answer "{{ .Name }} A 10.0.0.2"\n }',
    ask: ["b.example"],
    answers: ["10.0.0.2"],
  },
  {
    title: "another type passes without fallthrough",
    plugins: 'template IN A example {\n answer "{{ .Name }} A 10.0.0.2"\n }',
    ask: ["b.example", "TXT"],
    answers: [FORWARDED],
  },
  {
    title: "a query for ANY is taken by a template of one type",
    plugins: 'template IN A example {\n answer "{{ .Name }} A 10.0.0.2"\n }',
    ask: ["b.example", "ANY"],
    answers: ["10.0.0.2"],
  },
  {
    title: "an alias is followed through the upstream",
    plugins: 'template IN ANY foo.test {\n answer "foo.test 60 IN CNAME www.test"\n }',
    ask: ["foo.test"],
    answers: ["www.test", FORWARDED],
  },
  {
    title: "an alias is followed into another template",
    plugins: 'template IN ANY foo.test {\n answer "foo.test 60 IN CNAME bar.test"\n }\n' +
      ' template IN ANY bar.test {\n answer "bar.test 60 IN A 10.0.0.9"\n }',
    ask: ["foo.test"],
    answers: ["bar.test", "10.0.0.9"],
  },
  {
    title: "an alias is not followed for its own type",
    plugins: 'template IN ANY foo.test {\n answer "foo.test 60 IN CNAME www.test"\n }',
    ask: ["foo.test", "CNAME"],
    answers: ["www.test"],
  },
  {
    title: "an alias of itself ends in SERVFAIL",
    plugins: 'template IN ANY foo.test {\n answer "foo.test 60 IN CNAME foo.test"\n }',
    ask: ["foo.test"],
    rcode: "SERVFAIL",
    answers: [],
  },
];

for (const { title, plugins, ask: [name, type = "A"], rcode, answers, authorities } of CASES) {
  Deno.test(`template: ${title}`, () => {
    const simulation = start(plugins);
    const asked = simulation.ask(queryBytes({ name, type }));
    simulation.run(200);
    const answer = onlyAnswer(asked);
    const dataOf = (records: { type: string; data?: unknown }[] = []) =>
      records.map(({ type, data }) => typeof data === "string" ? data : type);
    assert.equal(answer.rcode, rcode ?? "NOERROR");
    assert.deepEqual(dataOf(answer.answers as []), answers);
    assert.deepEqual(dataOf(answer.authorities as []), authorities ?? []);
    assert.equal(answer.questions![0]!.name, name);
  });
}

Deno.test("template: an alias of an unresolvable name is SERVFAIL, and nothing keeps waiting", () => {
  const failing: Behaviour = (query) => [{ bytes: responseBytes(query, { rcode: 2 }) }];
  for (const upstream of [failing, () => []] as Behaviour[]) {
    const plugins = 'template IN ANY foo.test {\n answer "foo.test 60 IN CNAME www.test"\n }';
    const simulation = start(plugins, upstream);
    const asked = simulation.ask(queryBytes({ name: "foo.test" }));
    simulation.run(20_000);
    assert.equal(onlyAnswer(asked).rcode, "SERVFAIL");
    assert.equal(simulation.engine.waiting, 0);
  }
});

Deno.test("template: five hundred simultaneous aliases are answered, each with its own name", () => {
  const plugins = 'template IN A foo.test {\n match ^(?P<n>[0-9]+)\n answer "{{ .Name }} 60 IN ' +
    'CNAME n{{ .Group.n }}.test"\n }';
  const simulation = start(plugins);
  const asked = Array.from(
    { length: 500 },
    (_, n) => simulation.ask(queryBytes({ name: `${n}.foo.test`, id: n })),
  );
  simulation.run(2000);
  asked.forEach((one, n) => {
    const { answers } = onlyAnswer(one);
    assert.deepEqual(answers!.map(({ name }) => name), [`${n}.foo.test`, `n${n}.test`]);
  });
});

Deno.test("template: answers are cached, counted, and have the extended error", () => {
  const plugins = "cache\n template ANY ANY gone.test {\n rcode NXDOMAIN\n" +
    ' authority "gone.test. 60 IN SOA ns.test. host.test. (1 60 60 60 60)"\n' +
    ' ederror 15 "not here"\n }';
  const simulation = start(plugins);
  for (let i = 0; i < 3; i++) {
    const asked = simulation.ask(queryBytes({ name: "www.gone.test", edns: 1232 }));
    simulation.run(10);
    const answer = onlyAnswer(asked);
    assert.equal(answer.rcode, "NXDOMAIN");
    const opt = answer.additionals!.find(({ type }) => type === "OPT") as unknown as {
      options: { code: number; data: Uint8Array }[];
    };
    const error = opt.options.find(({ code }) => code === 15)!;
    assert.equal(new TextDecoder().decode(error.data.subarray(2)), "not here");
    assert.equal(error.data[1], 15);
  }
  assert.equal(simulation.count("coredns_template_matches_total"), 1);
});

Deno.test("template: failures are counted by kind", () => {
  const plugins = 'template IN A a.test {\n answer "{{ index .Match 9 }}"\n }\n' +
    ' template IN A b.test {\n answer "{{ .Name }} 60 IN A {{ .Type }}"\n }';
  const simulation = start(plugins);
  for (const name of ["a.test", "b.test", "b.test"]) {
    const asked = simulation.ask(queryBytes({ name }));
    simulation.run(10);
    assert.equal(onlyAnswer(asked).rcode, "SERVFAIL");
  }
  assert.equal(simulation.count("coredns_template_template_failures_total"), 1);
  assert.equal(simulation.count("coredns_template_rr_failures_total"), 2);
});

Deno.test("template: the work of a template is bounded", () => {
  const nested = "{{ range .Group }}".repeat(8) + "x" + "{{ end }}".repeat(8);
  const doubling = "{{ $x := `0123456789` }}" +
    "{{ $x = printf `%s%s` $x $x }}".repeat(40) + "{{ $x }}";
  for (const text of [nested, doubling]) {
    const groups = "(.)".repeat(20);
    const simulation = start(
      `template IN A a.test {\n match ^${groups}\n answer "${text}"\n }`,
    );
    const asked = simulation.ask(queryBytes({ name: "abcdefghijklmnopqrstuvwxyz.a.test" }));
    simulation.run(10);
    assert.equal(onlyAnswer(asked).rcode, "SERVFAIL");
    assert.equal(simulation.count("coredns_template_template_failures_total"), 1);
  }
});

Deno.test("template: other classes are answered if a template matches them", () => {
  for (const [qclass, rcode] of [["ANY", "NXDOMAIN"], ["IN", "REFUSED"]]) {
    const corefile = `. {\n template ${qclass} ANY gone.test {\n rcode NXDOMAIN\n }\n}`;
    const simulation = new Simulation(corefile, { seed: 1 });
    const query = queryBytes({ name: "www.gone.test", type: "TXT" });
    query[query.length - 1] = 3;
    const asked = simulation.ask(query);
    simulation.run(10);
    assert.equal(onlyAnswer(asked).rcode, rcode);
  }
});
