import assert from "node:assert/strict";
import { ANSWERED, NEXT } from "../../src/engine/handler.ts";
import { createAny } from "../../src/plugins/any/handler.ts";
import { decodeResponse, exchangeFor, fakeEngine } from "../support/engine/fake_engine.ts";

for (const name of ["Example.org", "."]) {
  Deno.test(`any answers a query for ANY of ${name}`, () => {
    const handler = createAny({}, { engine: fakeEngine(), zones: ["."], position: 0 });
    const exchange = exchangeFor({ name, type: "ANY" });
    assert.equal(handler.query!(exchange), ANSWERED);
    const response = decodeResponse(exchange);
    assert.equal(response.rcode, "NOERROR");
    assert.equal(response.flag_aa, false);
    assert.equal(response.flag_rd, true);
    assert.deepEqual(response.answers, [{
      name,
      type: "HINFO",
      class: "IN",
      ttl: 8482,
      flush: false,
      data: { cpu: "ANY obsoleted", os: "See RFC 8482" },
    }]);
    assert.deepEqual([response.authorities, response.additionals], [[], []]);
  });
}

for (const type of ["A", "HINFO"]) {
  Deno.test(`any lets a query for ${type} pass`, () => {
    const handler = createAny({}, { engine: fakeEngine(), zones: ["."], position: 0 });
    assert.equal(handler.query!(exchangeFor({ name: "example.org", type })), NEXT);
  });
}
