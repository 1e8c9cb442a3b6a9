import assert from "node:assert/strict";
import { RCODE } from "../../src/dns/constants.ts";
import { NEXT } from "../../src/engine/handler.ts";
import { createNsid } from "../../src/plugins/nsid/handler.ts";
import { decodeResponse, exchangeFor, fakeEngine } from "../support/engine/fake_engine.ts";

const NSID = 3;
const COOKIE = 10;
const empty = new Uint8Array(0);
const cookie = { code: COOKIE, data: new Uint8Array(8) };

interface Option {
  code: number;
  data: Uint8Array;
}

/** The options of the response to a query with these. */
function answeredOptions(
  data: string,
  query: { ednsOptions: Option[]; edns?: number },
  extendedError = -1,
): { code: number; text: string }[] | null {
  const engine = fakeEngine();
  const handler = createNsid({ data }, { engine, zones: ["."], position: 0 });
  const exchange = exchangeFor({ name: "example.org", edns: 1232, ...query });
  assert.equal(handler.query!(exchange), NEXT);
  exchange.extendedError = extendedError;
  exchange.response = engine.failure(exchange, RCODE.NOERROR);
  const opt = decodeResponse(exchange).additionals![0] as unknown as { options: Option[] };
  return opt.options.map(({ code, data }) => ({ code, text: new TextDecoder().decode(data) }));
}

Deno.test("nsid tells a client that asks", () => {
  const told = answeredOptions("node-1", { ednsOptions: [{ code: NSID, data: empty }] });
  assert.deepEqual(told, [{ code: NSID, text: "node-1" }]);
});

Deno.test("nsid finds its option behind others", () => {
  const told = answeredOptions("node-1", { ednsOptions: [cookie, { code: NSID, data: empty }] });
  assert.deepEqual(told, [{ code: NSID, text: "node-1" }]);
});

Deno.test("nsid says nothing unasked", () => {
  assert.deepEqual(answeredOptions("node-1", { ednsOptions: [cookie] }), []);
  assert.deepEqual(answeredOptions("node-1", { ednsOptions: [] }), []);
});

Deno.test("nsid may be empty, and hold more than ASCII", () => {
  const ednsOptions = [{ code: NSID, data: empty }];
  assert.deepEqual(answeredOptions("", { ednsOptions }), [{ code: NSID, text: "" }]);
  assert.deepEqual(answeredOptions("Düne", { ednsOptions }), [{ code: NSID, text: "Düne" }]);
});

Deno.test("nsid stands behind an Extended DNS Error", () => {
  const told = answeredOptions("node-1", { ednsOptions: [{ code: NSID, data: empty }] }, 15);
  assert.deepEqual(told!.map(({ code }) => code), [15, NSID]);
  assert.equal(told![1]!.text, "node-1");
});

Deno.test("nsid does not read beyond options that lie about their length", () => {
  const engine = fakeEngine();
  const handler = createNsid({ data: "x" }, { engine, zones: ["."], position: 0 });
  const exchange = exchangeFor({
    name: "example.org",
    edns: 1232,
    ednsOptions: [cookie, { code: NSID, data: empty }],
  });
  const lengthAt = exchange.offset + exchange.optionsAt + 2;
  for (const length of [9, 13, 65535]) {
    exchange.memory.view.setUint16(lengthAt, length);
    handler.query!(exchange);
    assert.equal(exchange.nsid, null, `${length}`);
  }
});
