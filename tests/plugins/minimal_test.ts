import assert from "node:assert/strict";
import { CLASS, FLAG, RCODE, TYPE } from "../../src/dns/constants.ts";
import { parseName } from "../../src/dns/name.ts";
import { KIND } from "../../src/dns/response_scan.ts";
import type { ResponseWriter } from "../../src/engine/response/writer.ts";
import { createMinimal } from "../../src/plugins/minimal/handler.ts";
import { decodeResponse, exchangeFor, fakeEngine } from "../support/engine/fake_engine.ts";

const ZONE = parseName("example.org.");
const SERVER = parseName("ns.example.org.");

const a = (ttl: number) => (writer: ResponseWriter) =>
  writer.record("answer", null, TYPE.A, CLASS.IN, ttl).raw(new Uint8Array(4), 0, 4);
const cname = (writer: ResponseWriter) =>
  writer.record("answer", null, TYPE.CNAME, CLASS.IN, 60).raw(SERVER, 0, SERVER.length);
const ns = (writer: ResponseWriter) =>
  writer.record("authority", ZONE, TYPE.NS, CLASS.IN, 30).raw(SERVER, 0, SERVER.length);
const soa = (writer: ResponseWriter) =>
  writer.record("authority", ZONE, TYPE.SOA, CLASS.IN, 30).raw(SERVER, 0, SERVER.length)
    .raw(ZONE, 0, ZONE.length).raw(new Uint8Array(20), 0, 20);
const glue = (writer: ResponseWriter) =>
  writer.record("additional", SERVER, TYPE.A, CLASS.IN, 20).raw(new Uint8Array(4), 0, 4);

const CASES = [
  { title: "an answer", records: [a(60), ns, glue], left: [1, 0, 0] },
  { title: "an answer that is minimal", records: [a(60)], left: [1, 0, 0] },
  { title: "an empty answer with hints", records: [glue], left: [0, 0, 0] },
  { title: "nothing", records: [], left: [0, 0, 0] },
  { title: "a delegation", records: [ns, glue], left: [0, 1, 1] },
  { title: "no data", records: [soa, glue], left: [0, 1, 1] },
  { title: "an alias without data", records: [cname, soa], left: [1, 1, 0] },
  { title: "no such name", rcode: RCODE.NXDOMAIN, records: [soa, glue], left: [0, 1, 1] },
  {
    title: "an alias to no such name",
    rcode: RCODE.NXDOMAIN,
    records: [cname, soa],
    left: [1, 1, 0],
  },
  { title: "a failure", rcode: RCODE.SERVFAIL, records: [ns, glue], left: [0, 1, 1] },
  { title: "a refusal", rcode: RCODE.REFUSED, records: [ns, glue], left: [0, 1, 1] },
];

for (const { title, rcode = RCODE.NOERROR, records, left } of CASES) {
  Deno.test(`minimal leaves of ${title} ${left.join(", ")} records`, () => {
    const engine = fakeEngine();
    const handler = createMinimal({}, { engine, zones: ["."], position: 0 });
    const exchange = exchangeFor({ name: "www.example.org" });
    engine.writer.begin(exchange, rcode, FLAG.RA);
    for (const add of records) add(engine.writer);
    exchange.response = engine.writer.end();
    // Several clients may wait for one response.
    handler.response!(exchange);
    handler.response!(exchange);
    const { answers, authorities, additionals } = decodeResponse(exchange);
    assert.deepEqual([answers, authorities, additionals].map((list) => list!.length), left);
    assert.equal(exchange.response.ttlCount, left[0]! + left[1]! + left[2]!);
  });
}

Deno.test("minimal has the TTL of an answer follow from what is left of it", () => {
  const engine = fakeEngine();
  const handler = createMinimal({}, { engine, zones: ["."], position: 0 });
  const exchange = exchangeFor({ name: "www.example.org" });
  engine.writer.begin(exchange, RCODE.NOERROR);
  for (const add of [a(90), a(60), ns, glue]) add(engine.writer);
  const response = engine.writer.end();
  response.kind = KIND.SUCCESS;
  response.minTtlSeconds = 20;
  exchange.response = response;
  handler.response!(exchange);
  assert.equal(response.minTtlSeconds, 60);
});
