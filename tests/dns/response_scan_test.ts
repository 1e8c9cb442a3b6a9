import assert from "node:assert/strict";
import type * as codec from "dns-packet";
import { KIND, ResponseScanner } from "../../src/dns/response_scan.ts";
import { a, responseBytes, soa } from "../support/messages/messages.ts";

const NAME = "www.example.org";
const cname = (name: string, data: string, ttl = 300): codec.Answer => ({
  type: "CNAME",
  name,
  ttl,
  data,
  class: "IN",
});
const ns: codec.Answer = { type: "NS", name: "example.org", ttl: 60, data: "ns.example.org" };
const loop = Array.from(
  { length: 40 },
  (_, i) => cname(i === 0 ? NAME : `a${i}.example`, `a${i + 1}.example`),
);

interface Case {
  title: string;
  qtype?: string;
  rcode?: number;
  answers?: codec.Answer[];
  authorities?: codec.Answer[];
  kind: number;
  ttl?: number;
}

const CASES: Case[] = [
  { title: "an answer", answers: [a(NAME, "192.0.2.1")], kind: KIND.SUCCESS },
  {
    title: "a chain",
    answers: [cname(NAME, "b.example"), a("B.example", "192.0.2.1")],
    kind: KIND.SUCCESS,
  },
  {
    title: "a chain in another order",
    answers: [a("b.example", "192.0.2.1"), cname(NAME, "b.example")],
    kind: KIND.SUCCESS,
  },
  { title: "a chain that ends nowhere", answers: [cname(NAME, "b.example")], kind: KIND.OTHER },
  {
    title: "a chain that ends in a denial",
    answers: [cname(NAME, "b.example", 100)],
    authorities: [soa("example", 50)],
    kind: KIND.NODATA,
    ttl: 50,
  },
  {
    title: "a chain that ends in NXDOMAIN",
    rcode: 3,
    answers: [cname(NAME, "b.example", 40)],
    authorities: [soa("example", 50)],
    kind: KIND.NXDOMAIN,
    ttl: 40,
  },
  {
    title: "a record of another name",
    answers: [a("other.example", "192.0.2.1")],
    kind: KIND.OTHER,
  },
  {
    title: "two targets",
    answers: [cname(NAME, "b.example"), cname(NAME, "c.example"), a("c.example", "192.0.2.1")],
    kind: KIND.FAILURE,
  },
  {
    title: "the same target twice",
    answers: [cname(NAME, "b.example"), cname(NAME, "B.example"), a("b.example", "192.0.2.1")],
    kind: KIND.SUCCESS,
  },
  {
    title: "two targets beside a record of the qname's own",
    answers: [a(NAME, "192.0.2.1"), cname(NAME, "b.example"), cname(NAME, "c.example")],
    kind: KIND.FAILURE,
  },
  {
    title: "a loop",
    answers: [cname(NAME, "b.example"), cname("b.example", NAME), a("c.example", "192.0.2.1")],
    kind: KIND.FAILURE,
  },
  { title: "a loop of one", answers: [cname(NAME, NAME)], kind: KIND.FAILURE },
  {
    title: "a chain too long",
    answers: [...loop, a("a40.example", "192.0.2.1")],
    kind: KIND.FAILURE,
  },
  {
    title: "CNAME asked for",
    qtype: "CNAME",
    answers: [cname(NAME, "b.example")],
    kind: KIND.SUCCESS,
  },
  {
    title: "CNAME asked for, two targets",
    qtype: "CNAME",
    answers: [cname(NAME, "b.example"), cname(NAME, "c.example")],
    kind: KIND.OTHER,
  },
  {
    title: "a record of another class",
    answers: [{ ...a(NAME, "192.0.2.1"), class: "CH" } as codec.Answer],
    kind: KIND.OTHER,
  },
  {
    title: "an alias of another class",
    answers: [
      { ...cname(NAME, "b.example"), class: "CH" } as codec.Answer,
      a("b.example", "192.0.2.1"),
    ],
    kind: KIND.OTHER,
  },
  { title: "NODATA", authorities: [soa("example.org", 60)], kind: KIND.NODATA, ttl: 60 },
  {
    title: "the SOA's minimum bounds a denial",
    rcode: 3,
    authorities: [{ ...soa("example.org", 15), ttl: 600 } as codec.Answer],
    kind: KIND.NXDOMAIN,
    ttl: 15,
  },
  {
    title: "the SOA's TTL bounds a denial",
    rcode: 3,
    authorities: [{ ...soa("example.org", 600), ttl: 15 } as codec.Answer],
    kind: KIND.NXDOMAIN,
    ttl: 15,
  },
  {
    title: "the SOA's minimum says nothing of an answer",
    answers: [a(NAME, "192.0.2.1", 300)],
    authorities: [{ ...soa("example.org", 15), ttl: 600 } as codec.Answer],
    kind: KIND.SUCCESS,
    ttl: 300,
  },
  { title: "NXDOMAIN without SOA", rcode: 3, kind: KIND.OTHER },
  { title: "a referral", authorities: [ns], kind: KIND.EMPTY },
  { title: "an empty answer", kind: KIND.EMPTY },
  { title: "SERVFAIL", rcode: 2, kind: KIND.FAILURE },
  { title: "NOTIMP", rcode: 4, kind: KIND.FAILURE },
  { title: "FORMERR", rcode: 1, kind: KIND.FAILURE },
  { title: "REFUSED", rcode: 5, kind: KIND.FAILURE },
  { title: "YXDOMAIN", rcode: 6, kind: KIND.OTHER },
];

for (const { title, qtype = "A", kind, ttl, ...parts } of CASES) {
  Deno.test(`classification: ${title}`, () => {
    const question = { name: NAME, type: qtype as codec.RecordType, class: "IN" as const };
    const bytes = responseBytes({ id: 1, questions: [question] } as codec.DecodedPacket, parts);
    const scanner = new ResponseScanner();
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    assert.ok(scanner.scan(bytes, view, 0, bytes.length));
    assert.equal(scanner.kind, kind);
    if (ttl !== undefined) assert.equal(scanner.minTtlSeconds, ttl);
  });
}
