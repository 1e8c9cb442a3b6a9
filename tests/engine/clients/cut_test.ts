import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import type * as codec from "dns-packet";
import { a, decode, type Decoded, queryBytes } from "../../support/messages/messages.ts";
import { responseBytes, soa } from "../../support/messages/messages.ts";
import { frame, onlyAnswer, Simulation } from "../../support/simulation/simulation.ts";

const QNAME = "www.example.org";

const many = (count: number, name: string) =>
  Array.from({ length: count }, (_, i) => a(name, `192.0.2.${i}`));
const record = (type: string, name: string, data: unknown) =>
  ({ type, name, ttl: 300, class: "IN", data }) as codec.Answer;
const ns = (zone: string, data: string) => record("NS", zone, data);
const txt = (name: string, size: number) =>
  record("TXT", name, "x".repeat(size).match(/.{1,250}/g));
const rrsig = (name: string, typeCovered: string) =>
  record("RRSIG", name, {
    ...{ typeCovered, algorithm: 13, labels: 2, originalTTL: 300, expiration: 0x7fff_ffff },
    ...{ inception: 1, keyTag: 7, signersName: "example.org", signature: Buffer.alloc(64) },
  });

interface Sections {
  answers?: codec.Answer[];
  authorities?: codec.Answer[];
  additionals?: codec.Answer[];
}

function reply(query: codec.DecodedPacket, sections: Sections, rcode = 0): Uint8Array {
  const { answers = [], authorities = [], additionals = [] } = sections;
  const bytes = responseBytes(query, {
    answers,
    authorities: [...authorities, ...additionals],
    rcode,
    edns: false,
  });
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  view.setUint16(8, authorities.length);
  view.setUint16(10, additionals.length);
  return bytes;
}

const kinds = ({ answers, authorities, additionals }: Decoded) =>
  [answers!, authorities!, additionals!.filter(({ type }) => type !== "OPT")]
    .map((section) => section.map(({ type }) => type).join(" "));
const times = (count: number, type: string) => Array(count).fill(type).join(" ");

/** For 512 octets: header and question have 33, an address of the qname 16. */
const CASES: [
  title: string,
  sections: Sections,
  left: string[],
  truncated: boolean,
  options?: { rcode?: number; dnssecOk?: boolean },
][] = [
  [
    "what fits exactly is whole",
    { answers: [txt(QNAME, 512 - 33 - 24 * 16 - 13), ...many(24, QNAME)] },
    [`TXT ${times(24, "A")}`, "", ""],
    false,
  ],
  [
    "an octet too many",
    { answers: [txt(QNAME, 512 - 33 - 24 * 16 - 12), ...many(24, QNAME)] },
    [`TXT ${times(23, "A")}`, "", ""],
    true,
  ],
  [
    "answers that fit stay, with TC",
    {
      answers: many(40, QNAME),
      authorities: [ns("example.org", "ns.example.org")],
      additionals: [a("ns.example.org", "192.0.2.1")],
    },
    [times(29, "A"), "", ""],
    true,
  ],
  [
    "not even the first answer fits",
    { answers: [txt(QNAME, 500), ...many(2, QNAME)] },
    ["", "", ""],
    true,
  ],
  [
    "addresses beside an answer are removed by whole RRsets, without TC",
    {
      answers: many(20, QNAME),
      authorities: [ns("example.org", "ns1.example.org"), ns("example.org", "ns2.example.org")],
      additionals: [...many(2, "ns1.example.org"), ...many(10, "ns2.example.org")],
    },
    [times(20, "A"), "NS NS", "A A"],
    false,
  ],
  [
    "name servers beside an answer are removed together, without TC",
    {
      answers: many(28, QNAME),
      authorities: [ns("example.org", "ns1.example.org"), ns("example.org", "ns2.example.org")],
      additionals: [a("ns1.example.org", "192.0.2.1")],
    },
    [times(28, "A"), "", ""],
    false,
  ],
  [
    "name servers and their signature are removed together",
    {
      answers: many(22, QNAME),
      authorities: [ns("example.org", "ns.example.org"), rrsig("example.org", "NS")],
    },
    [times(22, "A"), "", ""],
    false,
    { dnssecOk: true },
  ],
  [
    "a proof beside an answer is needed",
    {
      answers: many(22, QNAME),
      authorities: [
        record("NSEC", "example.org", { nextDomain: "z.example.org", rrtypes: ["A"] }),
        rrsig("example.org", "NSEC"),
      ],
    },
    [times(22, "A"), "", ""],
    true,
    { dnssecOk: true },
  ],
  [
    "an alias whose denial does not fit",
    {
      answers: [
        record("CNAME", QNAME, "a.example.org"),
        txt("a.example.org", 254),
        txt("a.example.org", 140),
      ],
      authorities: [soa("example.org")],
    },
    ["CNAME TXT TXT", "", ""],
    true,
    { rcode: 3 },
  ],
  [
    "a referral without room for the addresses within its zone",
    {
      authorities: [ns("example.org", "ns1.example.org"), ns("example.org", "ns2.example.org")],
      additionals: [...many(20, "ns1.example.org"), ...many(20, "ns2.example.org")],
    },
    ["", "NS NS", times(20, "A")],
    true,
  ],
  [
    "a referral without room for addresses of other zones",
    {
      authorities: [ns("example.org", "ns.example.net"), ns("example.org", "ns.example.com")],
      additionals: [...many(20, "ns.example.net"), ...many(16, "ns.example.com")],
    },
    ["", "NS NS", times(20, "A")],
    false,
  ],
  [
    "a referral without room for many addresses of other zones",
    {
      authorities: [ns("example.org", "ns.example.net")],
      additionals: many(50, "ns.example.net"),
    },
    ["", "NS", ""],
    true,
  ],
  [
    "a referral of the root",
    { authorities: [ns(".", "ns.example.net")], additionals: many(40, "ns.example.net") },
    ["", "NS", ""],
    true,
  ],
  [
    "a referral whose last address does not fit",
    {
      authorities: [ns("example.org", "ns.sub.EXAMPLE.org")],
      additionals: [...many(27, "ns.example.net"), a("ns.sub.example.org", "192.0.2.1")],
    },
    ["", "NS", times(27, "A")],
    true,
  ],
  [
    "a referral without room for other data",
    {
      authorities: [ns("example.org", "ns.example.org")],
      additionals: [
        a("ns.example.org", "192.0.2.1"),
        txt("ns.example.org", 250),
        txt("x.org", 250),
      ],
    },
    ["", "NS", "A TXT"],
    false,
  ],
  [
    "a referral without room for its name servers",
    { authorities: Array.from({ length: 40 }, (_, i) => ns("example.org", `ns${i}.example.org`)) },
    ["", "", ""],
    true,
  ],
];

for (const [title, sections, left, truncated, { rcode, dnssecOk } = {}] of CASES) {
  Deno.test(`cut: ${title}`, () => {
    const simulation = new Simulation(". {\n cache\n forward . 10.0.0.1\n}");
    simulation.upstream("10.0.0.1:53", (query) => [{ bytes: reply(query, sections, rcode) }]);
    const query = { name: QNAME, ...dnssecOk && { edns: 512, dnssecOk } };
    for (let i = 0; i < 2; i++) {
      const asked = simulation.ask(queryBytes(query));
      simulation.run(100);
      const answer = onlyAnswer(asked);
      assert.deepEqual(kinds(answer), left);
      assert.equal(answer.flag_tc, truncated);
      assert.ok(asked.answers[0]!.bytes.length <= 512);
    }
    const stream = simulation.openStream();
    stream.send(frame(queryBytes(query)));
    simulation.run(100);
    const { answers = [], authorities = [], additionals = [] } = sections;
    assert.deepEqual(
      kinds(decode(stream.received[0]!)),
      [answers, authorities, additionals].map((list) => list.map(({ type }) => type).join(" ")),
    );
  });
}

Deno.test("cut: twenty addresses of a headless Service fit without EDNS, forwarded or local", () => {
  const name = "my-headless-service.my-namespace.svc.cluster.local";
  const addresses = Array.from({ length: 20 }, (_, i) => `10.1.2.${i + 1}`);
  const hosts = addresses.map((address) => ` ${address} own.${name}`).join("\n");
  const simulation = new Simulation(
    `. {\n cache\n hosts {\n${hosts}\n fallthrough\n }\n forward . 10.0.0.1 {\n force_tcp\n }\n}`,
  );
  simulation.upstream("10.0.0.1:53", (query) => {
    const answers = addresses.map((data) => a(query.questions![0]!.name, data));
    return [{ bytes: responseBytes(query, { answers }) }];
  });
  for (const qname of [name, `own.${name}`]) {
    for (const edns of [undefined, 512, 1232]) {
      const asked = simulation.ask(queryBytes({ name: qname, ...edns && { edns } }));
      simulation.run(100);
      const answer = onlyAnswer(asked);
      assert.equal(answer.answers!.length, 20);
      assert.equal(answer.flag_tc, false);
      const size = 12 + qname.length + 2 + 4 + 20 * 16 + (edns === undefined ? 0 : 11);
      assert.equal(asked.answers[0]!.bytes.length, size);
    }
  }
});
