import assert from "node:assert/strict";
import { answering, ask } from "../support/engine/scenario.ts";
import { optionsOf, queryBytes, responseBytes } from "../support/messages/messages.ts";
import { type Behaviour, onlyAnswer, Simulation } from "../support/simulation/simulation.ts";

const FORWARDED = "192.0.2.7";
const encoder = new TextEncoder();
const MAPPED = `
  template IN A example {
    match ^ip-(?P<a>[0-9]+)-(?P<b>[0-9]+)-(?P<c>[0-9]+)-(?P<d>[0-9]+)[.]example[.]$
    match ^hex-(?P<a>10)(?P<b>)-([0-9a-f]{2})[.]example[.]$
    answer "{{ .Name }} 60 IN A {{ .Group.a }}.{{ or .Group.b 0 }}.{{ if .Group.c }}{{ .Group.c }}.{{ .Group.d }}{{ else }}0.{{ parseInt (index .Match 3) 16 8 }}{{ end }}"
    authority "example. 60 IN NS ns.example."
    additional "ns.example. 60 IN A 192.0.2.53"
    fallthrough
  }`;

function start(plugins: string, upstream = answering(FORWARDED, { delayMs: 10 })): Simulation {
  const corefile = `. {\n errors\n prometheus\n ${plugins}\n forward . 10.0.0.1\n}`;
  const simulation = new Simulation(corefile, { seed: 1 });
  simulation.upstream("10.0.0.1:53", upstream);
  return simulation;
}

const FOUR_LABELS =
  "template ANY ANY internal.test {\n match ^(?:[^.]+\\.){4,}internal\\.test\\.$\n" +
  " rcode NXDOMAIN\n fallthrough\n }";
const NO_AAAA = "template ANY AAAA {\n rcode NOERROR\n }";
const NO_AAAA_WITH_SOA =
  'template ANY AAAA {\n authority "{{ .Zone }} 30 IN SOA ns.test. host.test. (1 60 60 60 30)"\n }';
const ADDRESS = 'template IN A example {\n answer "{{ .Name }} A 10.0.0.2"\n }';
const alias = (to: string) =>
  `template IN ANY foo.test {\n answer "foo.test 60 IN CNAME ${to}"\n }`;

/** Rows: data of the answers and of the authority section, or the type if it is not text. */
const CASES: [
  title: string,
  plugins: string,
  query: [name: string, type?: string],
  expected: string[] | "NXDOMAIN" | "SERVFAIL",
  authorities?: string[],
][] = [
  ["a name with enough labels is denied", FOUR_LABELS, ["a.b.c.d.internal.test"], "NXDOMAIN"],
  ["a name with fewer labels falls through", FOUR_LABELS, ["a.b.c.internal.test"], [FORWARDED]],
  [
    "a zone without a pattern is denied altogether, in any case",
    "template ANY ANY gone.test {\n rcode NXDOMAIN\n }",
    ["Www.GONE.test"],
    "NXDOMAIN",
  ],
  ["a filter of AAAA sends an empty answer", NO_AAAA, ["www.test", "AAAA"], []],
  ["a filter of AAAA does not affect A", NO_AAAA, ["www.test", "A"], [FORWARDED]],
  ["a filter of AAAA answers with its SOA record", NO_AAAA_WITH_SOA, ["www.test", "AAAA"], [], [
    "SOA",
  ]],
  ["named groups make an address", MAPPED, ["ip-10-1-2-3.example"], ["10.1.2.3"], ["ns.example"]],
  [
    "the second pattern is tried, and an unused group is empty",
    MAPPED,
    ["hex-10-ff.example"],
    ["10.0.0.255"],
    ["ns.example"],
  ],
  ["an answer that is not an address is SERVFAIL", MAPPED, ["ip-10-1-2-300.example"], "SERVFAIL"],
  [
    "without fallthrough a name that no pattern matches is SERVFAIL",
    'template IN A example {\n match ^a\n answer "{{ .Name }} A 10.0.0.1"\n }',
    ["b.example"],
    "SERVFAIL",
  ],
  [
    "fallthrough for another zone does not help",
    "template IN A example {\n match ^a\n rcode NXDOMAIN\n fallthrough other.example\n }",
    ["b.example"],
    "SERVFAIL",
  ],
  [
    "the next template is tried after fallthrough",
    `template IN A example {\n match ^a\n rcode NXDOMAIN\n fallthrough\n }\n ${ADDRESS}`,
    ["b.example"],
    ["10.0.0.2"],
  ],
  ["another type passes without fallthrough", ADDRESS, ["b.example", "TXT"], [FORWARDED]],
  ["a template of one type answers ANY", ADDRESS, ["b.example", "ANY"], ["10.0.0.2"]],
  [
    "an alias is followed through the upstream",
    alias("www.test"),
    ["foo.test"],
    ["www.test", FORWARDED],
  ],
  [
    "an alias is followed into another template",
    `${alias("bar.test")}\n template IN ANY bar.test {\n answer "bar.test 60 IN A 10.0.0.9"\n }`,
    ["foo.test"],
    ["bar.test", "10.0.0.9"],
  ],
  ["an alias is not followed for CNAME", alias("www.test"), ["foo.test", "CNAME"], ["www.test"]],
  ["an alias of itself is SERVFAIL", alias("foo.test"), ["foo.test"], "SERVFAIL"],
];

for (const [title, plugins, [name, type = "A"], expected, authorities = []] of CASES) {
  Deno.test(`template: ${title}`, () => {
    const answer = ask(start(plugins), { name, type }, { runMs: 200 });
    const dataOf = (records: { type: string; data?: unknown }[] = []) =>
      records.map(({ type, data }) => typeof data === "string" ? data : type);
    assert.equal(answer.rcode, typeof expected === "string" ? expected : "NOERROR");
    assert.deepEqual(dataOf(answer.answers as []), typeof expected === "string" ? [] : expected);
    assert.deepEqual(dataOf(answer.authorities as []), authorities);
    assert.equal(answer.questions![0]!.name, name);
  });
}

Deno.test("template: an alias of an unresolvable name gets SERVFAIL, and leaves nothing waiting", () => {
  const failing: Behaviour = (query) => [{ bytes: responseBytes(query, { rcode: 2 }) }];
  for (const upstream of [failing, () => []] as Behaviour[]) {
    const simulation = start(alias("www.test"), upstream);
    assert.equal(ask(simulation, { name: "foo.test" }, { runMs: 20_000 }).rcode, "SERVFAIL");
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
    const answer = ask(simulation, { name: "www.gone.test", edns: 1232 });
    assert.equal(answer.rcode, "NXDOMAIN");
    const [error] = optionsOf(answer);
    assert.deepEqual([error!.code, ...error!.data], [15, 0, 15, ...encoder.encode("not here")]);
  }
  assert.equal(simulation.count("coredns_template_matches_total"), 1);
});

Deno.test("template: failures are counted by kind", () => {
  const plugins = 'template IN A a.test {\n answer "{{ index .Match 9 }}"\n }\n' +
    ' template IN A b.test {\n answer "{{ .Name }} 60 IN A {{ .Type }}"\n }';
  const simulation = start(plugins);
  for (const name of ["a.test", "b.test", "b.test"]) {
    assert.equal(ask(simulation, { name }).rcode, "SERVFAIL");
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
    const name = "abcdefghijklmnopqrstuvwxyz.a.test";
    assert.equal(ask(simulation, { name }).rcode, "SERVFAIL");
    assert.equal(simulation.count("coredns_template_template_failures_total"), 1);
  }
});

Deno.test("template: other classes are answered if a template matches them", () => {
  for (const [qclass, rcode] of [["ANY", "NXDOMAIN"], ["IN", "REFUSED"]]) {
    const corefile = `. {\n template ${qclass} ANY gone.test {\n rcode NXDOMAIN\n }\n}`;
    const simulation = new Simulation(corefile, { seed: 1 });
    const query = { name: "www.gone.test", type: "TXT", qclass: 3 };
    assert.equal(ask(simulation, query).rcode, rcode);
  }
});
