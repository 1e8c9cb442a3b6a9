import assert from "node:assert/strict";
import { CLASS, FLAG, RCODE, TYPE } from "../../src/dns/constants.ts";
import { parseName } from "../../src/dns/name.ts";
import { KIND } from "../../src/dns/response_scan.ts";
import type { ResponseWriter } from "../../src/engine/response/writer.ts";
import { createMinimal } from "../../src/plugins/minimal/handler.ts";
import { decodeResponse, exchangeFor, fakeEngine } from "../support/engine/fake_engine.ts";
import { makeHandler } from "./make_handler.ts";

const ZONE = parseName("example.org.");
const SERVER = parseName("ns.example.org.");

type AddRecord = (writer: ResponseWriter) => unknown;
const a = (ttl: number): AddRecord => (writer) =>
  writer.record("answer", null, TYPE.A, CLASS.IN, ttl).raw(new Uint8Array(4), 0, 4);
const cname: AddRecord = (writer) =>
  writer.record("answer", null, TYPE.CNAME, CLASS.IN, 60).raw(SERVER, 0, SERVER.length);
const ns: AddRecord = (writer) =>
  writer.record("authority", ZONE, TYPE.NS, CLASS.IN, 30).raw(SERVER, 0, SERVER.length);
const soa: AddRecord = (writer) =>
  writer.record("authority", ZONE, TYPE.SOA, CLASS.IN, 30).raw(SERVER, 0, SERVER.length)
    .raw(ZONE, 0, ZONE.length).raw(new Uint8Array(20), 0, 20);
const glue: AddRecord = (writer) =>
  writer.record("additional", SERVER, TYPE.A, CLASS.IN, 20).raw(new Uint8Array(4), 0, 4);

const { NOERROR, NXDOMAIN, SERVFAIL, REFUSED } = RCODE;
const CASES: [title: string, rcode: number, records: AddRecord[], left: number[]][] = [
  ["an answer", NOERROR, [a(60), ns, glue], [1, 0, 0]],
  ["a minimal answer", NOERROR, [a(60)], [1, 0, 0]],
  ["an empty answer with hints", NOERROR, [glue], [0, 0, 0]],
  ["an empty answer", NOERROR, [], [0, 0, 0]],
  ["a delegation", NOERROR, [ns, glue], [0, 1, 1]],
  ["no data", NOERROR, [soa, glue], [0, 1, 1]],
  ["an alias without data", NOERROR, [cname, soa], [1, 1, 0]],
  ["no such name", NXDOMAIN, [soa, glue], [0, 1, 1]],
  ["an alias to no such name", NXDOMAIN, [cname, soa], [1, 1, 0]],
  ["a failure", SERVFAIL, [ns, glue], [0, 1, 1]],
  ["a refusal", REFUSED, [ns, glue], [0, 1, 1]],
];

function answered(rcode: number, records: AddRecord[]) {
  const engine = fakeEngine();
  const exchange = exchangeFor({ name: "www.example.org" });
  engine.writer.begin(exchange, rcode, FLAG.RA);
  for (const add of records) add(engine.writer);
  const response = exchange.response = engine.writer.end();
  return { handler: makeHandler(createMinimal, {}, engine), exchange, response };
}

for (const [title, rcode, records, left] of CASES) {
  Deno.test(`minimal leaves ${left.join(", ")} records of ${title}`, () => {
    const { handler, exchange, response } = answered(rcode, records);
    // Several clients may wait for one response.
    handler.response!(exchange);
    handler.response!(exchange);
    const { answers, authorities, additionals } = decodeResponse(exchange);
    assert.deepEqual([answers, authorities, additionals].map((list) => list!.length), left);
    assert.equal(response.ttlCount, left[0]! + left[1]! + left[2]!);
  });
}

Deno.test("minimal computes the TTL from the remaining records", () => {
  const { handler, exchange, response } = answered(NOERROR, [a(90), a(60), ns, glue]);
  response.kind = KIND.SUCCESS;
  response.minTtlSeconds = 20;
  handler.response!(exchange);
  assert.equal(response.minTtlSeconds, 60);
});
