import assert from "node:assert/strict";
import { ANSWERED, NEXT } from "../../src/engine/handler.ts";
import { createAny } from "../../src/plugins/any/handler.ts";
import { decodeResponse, exchangeFor } from "../support/engine/fake_engine.ts";
import { makeHandler } from "./make_handler.ts";

for (const name of ["Example.org", "."]) {
  Deno.test(`any answers a query for ANY of ${name} with one HINFO record`, () => {
    const exchange = exchangeFor({ name, type: "ANY" });
    assert.equal(makeHandler(createAny, {}).query!(exchange), ANSWERED);
    const response = decodeResponse(exchange);
    assert.equal(response.rcode, "NOERROR");
    assert.equal(response.flag_aa, false);
    assert.equal(response.flag_rd, true);
    const data = { cpu: "ANY obsoleted", os: "See RFC 8482" };
    const record = { name, type: "HINFO", class: "IN", ttl: 8482, flush: false, data };
    assert.deepEqual(response.answers, [record]);
    assert.deepEqual([response.authorities, response.additionals], [[], []]);
  });
}

for (const type of ["A", "HINFO"]) {
  Deno.test(`any passes on a query for ${type}`, () => {
    const exchange = exchangeFor({ name: "example.org", type });
    assert.equal(makeHandler(createAny, {}).query!(exchange), NEXT);
  });
}
