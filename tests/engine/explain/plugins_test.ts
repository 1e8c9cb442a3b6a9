import assert from "node:assert/strict";
import { COUNTER } from "../../../src/engine/counters.ts";
import { HANDLERS } from "../../support/engine/all_plugins.ts";
import { queryBytes } from "../../support/messages/messages.ts";
import { type Asking, explainIn, lineOf } from "../../support/engine/explained.ts";
import { answering, denying, failing, silent } from "../../support/simulation/cache_world.ts";
import { type Behaviour, Simulation } from "../../support/simulation/simulation.ts";

/** A server block's directives, a query, and what a plugin tells of it. */
interface Case {
  block: string;
  query?: Asking;
  plugin: string;
  line: RegExp;
  /** What has happened before. */
  before?: (simulation: Simulation) => void;
  upstream?: Behaviour;
}

const asked = (name = "www.example.org") => (simulation: Simulation) => {
  simulation.ask(queryBytes({ name }));
  simulation.run(100);
};
const then = (...steps: ((simulation: Simulation) => void)[]) => (simulation: Simulation) => {
  for (const step of steps) step(simulation);
};
const later = (ms: number) => (simulation: Simulation) => simulation.run(ms);

const HOSTS = "hosts {\n192.0.2.1 a.example.org\n";
const TEMPLATE = 'template IN A example.org {\nmatch "^n(.)[.]"\n';

const CASES: Case[] = [
  { block: "nsid here", plugin: "nsid", line: /^passes: the query does not ask .* \(NSID\)$/ },
  { block: "bufsize 800", plugin: "bufsize", line: /^acts: limits the answer to 800 octets$/ },
  {
    block: "bufsize 800",
    query: { tcp: "on" },
    plugin: "bufsize",
    line: /^passes: answers over TCP have no limit$/,
  },
  {
    block: "prometheus",
    plugin: "prometheus",
    line: /^acts: counts .* server dns:\/\/:53, zone \.$/,
  },
  { block: "errors", plugin: "errors", line: /^acts: logs why an answer fails$/ },
  { block: "log", plugin: "log", line: /^acts: logs every answer \(zones \.\)$/ },
  {
    block: "log example.org {\nclass error denial\n}",
    plugin: "log",
    line: /^acts: logs an answer of class error, denial \(zones example\.org\.\)$/,
  },
  { block: "log other.org", plugin: "log", line: /^passes: no rule is for this name and client$/ },
  {
    block: "log {\nslow 200ms\nsample 10\nany\n}",
    plugin: "log",
    line: /^acts: logs an answer after 200 ms or more, or as one of 10 \(zones \.\)$/,
  },
  {
    block: "log {\nclients 10.0.0.0/8\n}",
    query: { from: "10.1.2.3" },
    plugin: "log",
    line: /^acts: logs every answer \(zones \.\)$/,
  },
  {
    block: "log {\nclients 10.0.0.0/8\n}",
    plugin: "log",
    line: /^passes: no rule is for this name and client$/,
  },
  {
    block: "local",
    query: { name: "LOCALHOST" },
    plugin: "local",
    line: /^answers: the name belongs to this host/,
  },
  { block: "local", plugin: "local", line: /^passes: the name is not localhost/ },
  { block: "dns64", plugin: "dns64", line: /^passes: the query is not for AAAA$/ },
  {
    block: "dns64",
    query: { type: "AAAA" },
    plugin: "dns64",
    line: /^passes: the client asks over IPv4 \(allow_ipv4/,
  },
  {
    block: "dns64",
    query: { type: "AAAA", from: "2001:db8::7" },
    plugin: "dns64",
    line: /^acts: asks the plugins below for the A records, if there is no AAAA/,
  },
  {
    block: "dns64",
    query: { type: "AAAA", from: "2001:db8::7", dnssec: "on", cd: "on" },
    plugin: "dns64",
    line: /^passes: the client validates itself/,
  },
  { block: "any", query: { type: "ANY" }, plugin: "any", line: /^answers: type ANY .*8482/ },
  { block: "any", plugin: "any", line: /^passes: the type is not ANY$/ },
  {
    block: "chaos v1 me",
    query: { name: "version.bind", type: "TXT", class: "CH" },
    plugin: "chaos",
    line: /^answers: .*version, host or authors$/,
  },
  { block: "chaos v1 me", plugin: "chaos", line: /^passes: it is not a CH TXT query/ },
  { block: "loadbalance", plugin: "loadbalance", line: /^acts: shuffles the addresses/ },
  {
    block: "rewrite name suffix .org .com",
    plugin: "rewrite",
    line: /^changes: the name becomes www\.example\.com\.$/,
  },
  {
    block: "rewrite name exact other.org x.org",
    plugin: "rewrite",
    line: /^passes: no rule matches$/,
  },
  {
    block: "rewrite type A AAAA",
    plugin: "rewrite",
    line: /^changes: the type becomes AAAA$/,
  },
  {
    block: "acl {\nallow net 192.0.2.0/24\nblock type A AAAA net 10.0.0.0/8 2001:db8::/32\n}",
    query: { from: "10.1.2.3" },
    plugin: "acl",
    line: /^refuses: 10\.1\.2\.3 matches "block type A AAAA net 10\.0\.0\.0\/8 2001:db8::\/32"$/,
  },
  {
    block: "acl {\ndrop net 10.0.0.0/8\n}",
    query: { from: "10.1.2.3" },
    plugin: "acl",
    line: /^drops: 10\.1\.2\.3 matches "drop net 10\.0\.0\.0\/8"$/,
  },
  {
    block: "acl {\nfilter\n}",
    plugin: "acl",
    line: /^answers: 127\.0\.0\.1 matches "filter"$/,
  },
  {
    block: "acl {\nblock net 10.0.0.0/8\n}",
    plugin: "acl",
    line: /^passes: no rule is for 127\.0\.0\.1, this zone and this type$/,
  },
  {
    block: "cache {\nsuccess 1024 300\ndenial 1024 60\n}",
    plugin: "cache",
    line:
      /^passes: does not have it; the answer is stored: success at most 300 s, denial at most 60 s$/,
  },
  {
    block: "cache {\ndisable success\ndisable denial\n}",
    plugin: "cache",
    line: /^passes: does not have it; the answer is not stored \(disable\)$/,
  },
  {
    block: "cache 60 other.org",
    plugin: "cache",
    line: /^passes: the name is in none of its zones \(other\.org\.\)$/,
  },
  {
    block: "cache",
    before: then(asked(), later(20_000)),
    plugin: "cache",
    line: /^answers: has it, for 280 s more, from 10\.0\.0\.1:53$/,
  },
  {
    block: "cache",
    before: asked(),
    upstream: denying(30),
    plugin: "cache",
    line: /^answers: has its denial \(NXDOMAIN\), for 30 s more, from 10\.0\.0\.1:53$/,
  },
  {
    block: "cache",
    before: then(asked(), later(300_000)),
    plugin: "cache",
    line: /^passes: has it no more: expired \d s ago; the answer is stored/,
  },
  {
    block: "cache",
    before: asked(),
    upstream: failing,
    plugin: "cache",
    line: /^refuses: remembers a failure, for 1 s more \(servfail\)$/,
  },
  {
    block: "cache {\nserve_stale 1h\n}",
    before: then(asked(), later(360_000)),
    plugin: "cache",
    line:
      /^answers: has it stale: expired 60 s ago, good for 3540 s more.*; it is refreshed behind/,
  },
  {
    block: "cache {\nserve_stale 1h verify\n}",
    before: then(asked(), later(360_000)),
    plugin: "cache",
    line: /^passes: has it stale: .*; it asks first, and serves it .*\(serve_stale verify\)$/,
  },
  {
    block: "cache {\nkeep www.example.org\n}",
    before: then(asked(), later(100), (simulation) => {
      simulation.upstream("10.0.0.1:53", silent);
      simulation.run(400_000);
    }),
    plugin: "cache",
    line: /^answers: keeps it: expired \d+ s ago, good until an upstream answers.* \(keep\)$/,
  },
  { block: "header {\nquery set rd\n}", plugin: "header", line: /^changes: query set rd$/ },
  { block: "header {\nresponse set aa\n}", plugin: "header", line: /^acts: response set aa$/ },
  { block: "minimal", plugin: "minimal", line: /^acts: cuts positive answers/ },
  {
    block: `${TEMPLATE}answer "{{ .Name }} 60 IN A 192.0.2.9"\n}`,
    query: { name: "n1.example.org" },
    plugin: "template",
    line:
      /^answers: the template of zone example\.org\., match "\^n\(\.\)\[\.\]" makes the answer \(NOERROR\)$/,
  },
  {
    block: `${TEMPLATE}answer "{{ .Name }} 60 IN CNAME t.example.com."\nfallthrough\n}`,
    query: { name: "n1.example.org" },
    plugin: "template",
    line: /makes an alias, whose target t\.example\.com\. is asked for below$/,
  },
  {
    block: `${TEMPLATE}answer "{{ .Name }} 60 IN A 192.0.2.9"\n}`,
    query: { name: "x.example.org" },
    plugin: "template",
    line:
      /^refuses: template: no pattern or condition matches x\.example\.org\. \(fallthrough lets it pass\)$/,
  },
  {
    block: `${TEMPLATE}answer "{{ .Name }} 60 IN A 192.0.2.9"\n}`,
    query: { name: "x.example.com" },
    plugin: "template",
    line: /^passes: no template is for this zone, class, type and name$/,
  },
  {
    block: `${HOSTS}fallthrough\n}`,
    query: { name: "A.example.org" },
    plugin: "hosts",
    line: /^answers: the name is in "\/etc\/hosts" or the Corefile$/,
  },
  {
    block: `${HOSTS}fallthrough\n}`,
    query: { name: "a.example.org", type: "AAAA" },
    plugin: "hosts",
    line: /^answers: the name is in .*, but not with type AAAA$/,
  },
  {
    block: `${HOSTS}fallthrough\n}`,
    plugin: "hosts",
    line: /^passes: no such name in "\/etc\/hosts" or the Corefile$/,
  },
  {
    block: `${HOSTS}}`,
    plugin: "hosts",
    line: /^refuses: no such name .* fallthrough is not set$/,
  },
  {
    block: "hosts /etc/hosts example.com {\n192.0.2.1 a.example.com\n}",
    plugin: "hosts",
    line: /^passes: the name is in none of its zones/,
  },
  {
    block: "loop",
    plugin: "loop",
    line: /^passes: it is not a probe; no upstream leads back here$/,
  },
  {
    block: "",
    plugin: "forward",
    line: /^asks: 10\.0\.0\.1:53 \(up, not measured yet\)$/,
  },
  { block: "", before: asked(), plugin: "forward", line: /^asks: 10\.0\.0\.1:53 \(up, 1 ms\)$/ },
  {
    block: "",
    before: (simulation) => void simulation.ask(queryBytes({ name: "www.example.org" })),
    upstream: silent,
    plugin: "forward",
    line: /^asks: nobody: the same question is in flight since 0 ms \(1 waiting\)$/,
  },
  {
    block: "",
    before: then(asked("x.example.org"), later(600)),
    upstream: silent,
    plugin: "forward",
    line: /^asks: 10\.0\.0\.1:53 \(suspect, not measured yet\)$/,
  },
];

for (const { block, query, plugin, line, before = () => {}, upstream = answering() } of CASES) {
  Deno.test(`explain: ${plugin}: ${line.source}`, () => {
    const simulation = new Simulation(`. {\n${block}\nforward . 10.0.0.1\n}`);
    simulation.upstream("10.0.0.1:53", upstream);
    before(simulation);
    const counted = simulation.counters.values.slice();
    const { waiting, exchanges } = simulation.engine;
    assert.match(lineOf(explainIn(simulation, query), plugin), line);
    // No effects: nothing is counted or left, and the second time is like the first.
    assert.match(lineOf(explainIn(simulation, query), plugin), line);
    counted[COUNTER.UDP_QUERIES] = simulation.counters.values[COUNTER.UDP_QUERIES]!;
    assert.deepEqual(simulation.counters.values, counted);
    assert.deepEqual([simulation.engine.waiting, simulation.engine.exchanges], [
      waiting,
      exchanges,
    ]);
  });
}

Deno.test("explain: whoami answers every name", () => {
  const simulation = new Simulation(". {\nwhoami\n}");
  assert.match(lineOf(explainIn(simulation), "whoami"), /^answers: it answers every name/);
});

Deno.test("explain: rrl tells its rate", () => {
  const simulation = new Simulation(". {\nrrl {\nresponses-per-second 5\n}\nwhoami\n}");
  assert.match(lineOf(explainIn(simulation), "rrl"), /^acts: sends 5 large answers a second/);
});

Deno.test("explain: the table has a case for every plugin with a handler", () => {
  const known = new Set([...CASES.map(({ plugin }) => plugin), "whoami", "rrl"]);
  assert.deepEqual([...HANDLERS.keys()].filter((name) => !known.has(name)), []);
});
