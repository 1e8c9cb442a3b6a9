import assert from "node:assert/strict";
import type * as codec from "dns-packet";
import { KIND, ResponseScanner } from "../../src/dns/response_scan.ts";
import { a, cname, responseBytes, soa } from "../support/messages/messages.ts";
import { viewOf } from "../support/messages/wire.ts";

const NAME = "www.example.org";
const ns: codec.Answer = { type: "NS", name: "example.org", ttl: 60, data: "ns.example.org" };
const chain = Array.from(
  { length: 40 },
  (_, i) => cname(i === 0 ? NAME : `a${i}.example`, `a${i + 1}.example`),
);
const [toB, toC] = [cname(NAME, "b.example"), cname(NAME, "c.example")];
const [own, atB, atC] = [
  a(NAME, "192.0.2.1"),
  a("b.example", "192.0.2.1"),
  a("c.example", "192.0.2.1"),
];
const inChaos = (record: codec.Answer) => ({ ...record, class: "CH" }) as codec.Answer;
const withTtl = (record: codec.Answer, ttl: number) => ({ ...record, ttl }) as codec.Answer;

interface Parts {
  qtype?: string;
  rcode?: number;
  answers?: codec.Answer[];
  authorities?: codec.Answer[];
  ttl?: number;
}

const CASES: [title: string, kind: keyof typeof KIND, Parts][] = [
  ["an answer", "SUCCESS", { answers: [own] }],
  ["a chain", "SUCCESS", { answers: [toB, a("B.example", "192.0.2.1")] }],
  ["a chain in another order", "SUCCESS", { answers: [atB, toB] }],
  ["a chain without an end", "OTHER", { answers: [toB] }],
  [
    "a chain that ends in a denial",
    "NODATA",
    { answers: [withTtl(toB, 100)], authorities: [soa("example", 50)], ttl: 50 },
  ],
  [
    "a chain that ends in NXDOMAIN",
    "NXDOMAIN",
    { rcode: 3, answers: [withTtl(toB, 40)], authorities: [soa("example", 50)], ttl: 40 },
  ],
  ["a record of another name", "OTHER", { answers: [atB] }],
  ["two targets", "FAILURE", { answers: [toB, toC, atC] }],
  ["the same target twice", "SUCCESS", { answers: [toB, cname(NAME, "B.example"), atB] }],
  ["two targets beside the qname's own record", "FAILURE", { answers: [own, toB, toC] }],
  ["a loop", "FAILURE", { answers: [toB, cname("b.example", NAME), atC] }],
  ["a loop of one", "FAILURE", { answers: [cname(NAME, NAME)] }],
  ["a chain too long", "FAILURE", { answers: [...chain, a("a40.example", "192.0.2.1")] }],
  ["a CNAME query", "SUCCESS", { qtype: "CNAME", answers: [toB] }],
  ["a CNAME query with two targets", "OTHER", { qtype: "CNAME", answers: [toB, toC] }],
  ["a record of another class", "OTHER", { answers: [inChaos(own)] }],
  ["an alias of another class", "OTHER", { answers: [inChaos(toB), atB] }],
  ["NODATA", "NODATA", { authorities: [soa("example.org", 60)], ttl: 60 }],
  [
    "a denial bounded by the SOA's minimum",
    "NXDOMAIN",
    { rcode: 3, authorities: [withTtl(soa("example.org", 15), 600)], ttl: 15 },
  ],
  [
    "a denial bounded by the SOA's TTL",
    "NXDOMAIN",
    { rcode: 3, authorities: [withTtl(soa("example.org", 600), 15)], ttl: 15 },
  ],
  [
    "an answer not bounded by the SOA's minimum",
    "SUCCESS",
    { answers: [own], authorities: [withTtl(soa("example.org", 15), 600)], ttl: 300 },
  ],
  ["NXDOMAIN without SOA", "OTHER", { rcode: 3 }],
  ["a referral", "EMPTY", { authorities: [ns] }],
  ["an empty answer", "EMPTY", {}],
  ["SERVFAIL", "FAILURE", { rcode: 2 }],
  ["NOTIMP", "FAILURE", { rcode: 4 }],
  ["FORMERR", "FAILURE", { rcode: 1 }],
  ["REFUSED", "FAILURE", { rcode: 5 }],
  ["YXDOMAIN", "OTHER", { rcode: 6 }],
];

for (const [title, kind, { qtype = "A", ttl, ...parts }] of CASES) {
  Deno.test(`classification: ${title}`, () => {
    const question = { name: NAME, type: qtype as codec.RecordType, class: "IN" as const };
    const bytes = responseBytes({ id: 1, questions: [question] } as codec.DecodedPacket, parts);
    const scanner = new ResponseScanner();
    assert.ok(scanner.scan(bytes, viewOf(bytes), 0, bytes.length));
    assert.equal(scanner.kind, KIND[kind]);
    if (ttl !== undefined) assert.equal(scanner.minTtlSeconds, ttl);
  });
}
