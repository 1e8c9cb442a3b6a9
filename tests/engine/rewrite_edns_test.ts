import assert from "node:assert/strict";
import { a, optionsOf, queryBytes, responseBytes } from "../support/messages/messages.ts";
import { onlyAnswer, Simulation } from "../support/simulation/simulation.ts";

const LOCAL = 0xffee;
const text = (data: Uint8Array) => new TextDecoder().decode(data);

interface Case {
  title: string;
  rules: string;
  /** The client's own option of code 0xffee. */
  own?: string;
  client?: string;
  forward?: string;
  /** Options of the upstream query by code, without cookies. */
  sent: Record<number, string | number[]>;
}

const CASES: Case[] = [
  {
    title: "set adds text",
    rules: "rewrite edns0 local set 0xffee abcd",
    sent: { [LOCAL]: "abcd" },
  },
  {
    title: "set adds octets",
    rules: "rewrite edns0 local set 65518 0x61626364",
    sent: { [LOCAL]: "abcd" },
  },
  {
    title: "set replaces the client's option",
    rules: "rewrite edns0 local set 0xffee abcd revert",
    own: "mine",
    sent: { [LOCAL]: "abcd" },
  },
  {
    title: "append keeps the client's option",
    rules: "rewrite edns0 local append 0xffee abcd",
    own: "mine",
    sent: { [LOCAL]: "mine" },
  },
  {
    title: "append adds an option",
    rules: "rewrite edns0 local append 0xffee abcd",
    sent: { [LOCAL]: "abcd" },
  },
  {
    title: "replace needs an option of the client",
    rules: "rewrite edns0 local replace 0xffee abcd",
    sent: {},
  },
  {
    title: "replace changes it",
    rules: "rewrite edns0 local replace 0xffee abcd",
    own: "mine",
    sent: { [LOCAL]: "abcd" },
  },
  {
    title: "unset removes what a rule before it set",
    rules: "rewrite continue edns0 local set 0xffee abcd\n rewrite edns0 local unset 0xffee",
    sent: {},
  },
  {
    title: "several options go together",
    rules: "rewrite continue edns0 local set 1000 one\n rewrite edns0 local set 1001 two",
    sent: { 1000: "one", 1001: "two" },
  },
  { title: "an NSID is asked for", rules: "rewrite edns0 nsid set", sent: { 3: "" } },
  {
    title: "the name is a variable",
    rules: "rewrite edns0 local set 0xffee {qname}",
    sent: { [LOCAL]: "www.example.org." },
  },
  {
    title: "the type is a variable",
    rules: "rewrite edns0 local set 0xffee {qtype}",
    sent: { [LOCAL]: [0, 1] },
  },
  {
    title: "the client's address is a variable",
    rules: "rewrite edns0 local set 0xffee {client_ip}",
    client: "192.0.2.77",
    sent: { [LOCAL]: [192, 0, 2, 77] },
  },
  {
    title: "the protocol is a variable",
    rules: "rewrite edns0 local set 0xffee {protocol}",
    sent: { [LOCAL]: "udp" },
  },
  {
    title: "a client's subnet is sent to upstreams that get subnets",
    rules: "rewrite edns0 subnet set 24 56",
    client: "192.0.2.77",
    forward: "ecs pass",
    sent: { 8: [0, 1, 24, 0, 192, 0, 2] },
  },
  {
    title: "a subnet may end within an octet",
    rules: "rewrite edns0 subnet set 20 56",
    client: "192.0.255.77",
    forward: "ecs pass",
    sent: { 8: [0, 1, 20, 0, 192, 0, 240] },
  },
  {
    title: "an IPv6 subnet",
    rules: "rewrite edns0 subnet set 24 48",
    client: "2001:db8:1:2::3",
    forward: "ecs pass",
    sent: { 8: [0, 2, 48, 0, 0x20, 0x01, 0x0d, 0xb8, 0, 1] },
  },
  {
    title: "a subnet is not sent without ecs pass",
    rules: "rewrite edns0 subnet set 24 56",
    sent: {},
  },
];

for (const { title, rules, own, client = "192.0.2.7", forward = "", sent } of CASES) {
  Deno.test(`rewrite edns0: ${title}`, () => {
    const corefile =
      `. {\n ${rules}\n cache\n forward . 10.0.0.1 {\n no_cookies\n ${forward}\n }\n}`;
    const simulation = new Simulation(corefile);
    const seen: Record<number, string | number[]>[] = [];
    simulation.upstream("10.0.0.1:53", (query) => {
      seen.push(Object.fromEntries(
        optionsOf(query).map(({ code, data }) => {
          const asText = typeof sent[code] === "string";
          return [code, asText ? text(data) : [...data]];
        }),
      ));
      const { name } = query.questions![0]!;
      return [{ bytes: responseBytes(query, { answers: [a(name, "192.0.2.1")] }), delayMs: 2 }];
    });
    const ednsOptions = own === undefined
      ? []
      : [{ code: LOCAL, data: new TextEncoder().encode(own) }];
    const query = queryBytes({ name: "www.example.org", edns: 1232, ednsOptions });
    const asked = simulation.ask(query, 0, client);
    simulation.run(50);
    const answer = onlyAnswer(asked);
    assert.equal(answer.answers!.length, 1);
    assert.deepEqual(optionsOf(answer), []);
    assert.deepEqual(seen, [sent]);
  });
}

Deno.test("rewrite edns0: queries with different options are not joined", () => {
  const simulation = new Simulation(
    ". {\n rewrite edns0 local set 0xffee {client_ip}\n forward . 10.0.0.1\n}",
  );
  let queries = 0;
  simulation.upstream("10.0.0.1:53", (query) => {
    queries++;
    const { name } = query.questions![0]!;
    return [{ bytes: responseBytes(query, { answers: [a(name, "192.0.2.1")] }), delayMs: 5 }];
  });
  const clients = ["192.0.2.7", "192.0.2.8", "192.0.2.7"];
  const asked = clients.map((client) =>
    simulation.ask(queryBytes({ name: "www.example.org" }), 0, client)
  );
  simulation.run(50);
  for (const one of asked) assert.equal(onlyAnswer(one).answers!.length, 1);
  assert.equal(queries, 2);
});
