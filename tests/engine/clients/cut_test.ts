import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import type * as codec from "dns-packet";
import {
  a,
  decode,
  type Decoded,
  queryBytes,
  responseBytes,
  soa,
} from "../../support/messages/messages.ts";
import { frame, onlyAnswer, Simulation } from "../../support/simulation/simulation.ts";

const QNAME = "www.example.org";

const many = (count: number, name: string) =>
  Array.from({ length: count }, (_, i) => a(name, `192.0.2.${i}`));
const ns = (zone: string, data: string): codec.Answer =>
  ({ type: "NS", name: zone, ttl: 300, class: "IN", data }) as codec.Answer;
const txt = (name: string, size: number): codec.Answer =>
  ({
    type: "TXT",
    name,
    ttl: 300,
    class: "IN",
    data: "x".repeat(size).match(/.{1,250}/g),
  }) as codec.Answer;
const rrsig = (name: string, typeCovered: string): codec.Answer =>
  ({
    type: "RRSIG",
    name,
    ttl: 300,
    class: "IN",
    data: {
      typeCovered,
      algorithm: 13,
      labels: 2,
      originalTTL: 300,
      expiration: 0x7fff_ffff,
      inception: 1,
      keyTag: 7,
      signersName: "example.org",
      signature: Buffer.alloc(64),
    },
  }) as unknown as codec.Answer;

interface Sections {
  answers?: codec.Answer[];
  authorities?: codec.Answer[];
  additionals?: codec.Answer[];
}

/** A reply with additional records. */
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
const CASES: {
  title: string;
  sections: Sections;
  rcode?: number;
  edns?: number;
  dnssecOk?: boolean;
  left: string[];
  truncated: boolean;
}[] = [
  {
    title: "what fits exactly is whole",
    sections: { answers: [txt(QNAME, 512 - 33 - 24 * 16 - 13), ...many(24, QNAME)] },
    left: [`TXT ${times(24, "A")}`, "", ""],
    truncated: false,
  },
  {
    title: "an octet too many",
    sections: { answers: [txt(QNAME, 512 - 33 - 24 * 16 - 12), ...many(24, QNAME)] },
    left: [`TXT ${times(23, "A")}`, "", ""],
    truncated: true,
  },
  {
    title: "answers that fit stay, with TC",
    sections: {
      answers: many(40, QNAME),
      authorities: [ns("example.org", "ns.example.org")],
      additionals: [a("ns.example.org", "192.0.2.1")],
    },
    left: [times(29, "A"), "", ""],
    truncated: true,
  },
  {
    title: "not even the first answer fits",
    sections: { answers: [txt(QNAME, 500), ...many(2, QNAME)] },
    left: ["", "", ""],
    truncated: true,
  },
  {
    title: "addresses beside an answer go by whole RRsets, without TC",
    sections: {
      answers: many(20, QNAME),
      authorities: [ns("example.org", "ns1.example.org"), ns("example.org", "ns2.example.org")],
      additionals: [...many(2, "ns1.example.org"), ...many(10, "ns2.example.org")],
    },
    left: [times(20, "A"), "NS NS", "A A"],
    truncated: false,
  },
  {
    title: "name servers beside an answer go as a whole, without TC",
    sections: {
      answers: many(28, QNAME),
      authorities: [ns("example.org", "ns1.example.org"), ns("example.org", "ns2.example.org")],
      additionals: [a("ns1.example.org", "192.0.2.1")],
    },
    left: [times(28, "A"), "", ""],
    truncated: false,
  },
  {
    title: "name servers and their signature go together",
    sections: {
      answers: many(22, QNAME),
      authorities: [ns("example.org", "ns.example.org"), rrsig("example.org", "NS")],
    },
    dnssecOk: true,
    edns: 512,
    left: [times(22, "A"), "", ""],
    truncated: false,
  },
  {
    title: "a proof beside an answer is needed",
    sections: {
      answers: many(22, QNAME),
      authorities: [
        {
          type: "NSEC",
          name: "example.org",
          ttl: 300,
          data: { nextDomain: "z.example.org", rrtypes: ["A"] },
        } as codec.Answer,
        rrsig("example.org", "NSEC"),
      ],
    },
    dnssecOk: true,
    edns: 512,
    left: [times(22, "A"), "", ""],
    truncated: true,
  },
  {
    title: "an alias whose denial does not fit",
    sections: {
      answers: [
        { type: "CNAME", name: QNAME, ttl: 300, data: "a.example.org" },
        txt("a.example.org", 254),
        txt("a.example.org", 140),
      ],
      authorities: [soa("example.org")],
    },
    rcode: 3,
    left: ["CNAME TXT TXT", "", ""],
    truncated: true,
  },
  {
    title: "a referral without room for the addresses within its zone",
    sections: {
      authorities: [
        ns("example.org", "ns1.example.org"),
        ns("example.org", "ns2.example.org"),
      ],
      additionals: [...many(20, "ns1.example.org"), ...many(20, "ns2.example.org")],
    },
    left: ["", "NS NS", times(20, "A")],
    truncated: true,
  },
  {
    title: "a referral without room for addresses of other zones",
    sections: {
      authorities: [ns("example.org", "ns.example.net"), ns("example.org", "ns.example.com")],
      additionals: [...many(20, "ns.example.net"), ...many(16, "ns.example.com")],
    },
    left: ["", "NS NS", times(20, "A")],
    truncated: false,
  },
  {
    title: "a referral without room for many addresses of other zones",
    sections: {
      authorities: [ns("example.org", "ns.example.net")],
      additionals: many(50, "ns.example.net"),
    },
    left: ["", "NS", ""],
    truncated: true,
  },
  {
    title: "a referral of the root",
    sections: { authorities: [ns(".", "ns.example.net")], additionals: many(40, "ns.example.net") },
    left: ["", "NS", ""],
    truncated: true,
  },
  {
    title: "a referral whose last address does not fit",
    sections: {
      authorities: [ns("example.org", "ns.sub.EXAMPLE.org")],
      additionals: [...many(27, "ns.example.net"), a("ns.sub.example.org", "192.0.2.1")],
    },
    left: ["", "NS", times(27, "A")],
    truncated: true,
  },
  {
    title: "a referral without room for other data",
    sections: {
      authorities: [ns("example.org", "ns.example.org")],
      additionals: [
        a("ns.example.org", "192.0.2.1"),
        txt("ns.example.org", 250),
        txt("x.org", 250),
      ],
    },
    left: ["", "NS", "A TXT"],
    truncated: false,
  },
  {
    title: "a referral without room for its name servers",
    sections: {
      authorities: Array.from({ length: 40 }, (_, i) => ns("example.org", `ns${i}.example.org`)),
    },
    left: ["", "", ""],
    truncated: true,
  },
];

for (const { title, sections, rcode, edns, dnssecOk = false, left, truncated } of CASES) {
  Deno.test(`cut: ${title}`, () => {
    const simulation = new Simulation(". {\n cache\n forward . 10.0.0.1\n}");
    simulation.upstream("10.0.0.1:53", (query) => [{ bytes: reply(query, sections, rcode) }]);
    const query = edns === undefined ? { name: QNAME } : { name: QNAME, edns, dnssecOk };
    for (let i = 0; i < 2; i++) {
      const asked = simulation.ask(queryBytes(query));
      simulation.run(100);
      const answer = onlyAnswer(asked);
      assert.deepEqual(kinds(answer), left);
      assert.equal(answer.flag_tc, truncated);
      assert.ok(asked.answers[0]!.bytes.length <= 512);
    }
    // Over TCP everything fits.
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

Deno.test("cut: twenty addresses of a headless Service fit a client without EDNS, forwarded or local", () => {
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
      const asked = simulation.ask(
        queryBytes({ name: qname, ...(edns === undefined ? {} : { edns }) }),
      );
      simulation.run(100);
      const answer = onlyAnswer(asked);
      assert.equal(answer.answers!.length, 20);
      assert.equal(answer.flag_tc, false);
      // Header, question, twenty addresses, OPT.
      const size = 12 + qname.length + 2 + 4 + 20 * 16 + (edns === undefined ? 0 : 11);
      assert.equal(asked.answers[0]!.bytes.length, size);
    }
  }
});
