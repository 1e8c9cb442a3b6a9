import assert from "node:assert/strict";
import { RCODE } from "../../src/dns/constants.ts";
import { NEXT } from "../../src/engine/handler.ts";
import { createNsid } from "../../src/plugins/nsid/handler.ts";
import { decodeResponse, exchangeFor, fakeEngine } from "../support/engine/fake_engine.ts";
import { makeHandler } from "./make_handler.ts";

interface Option {
  code: number;
  data: Uint8Array;
}

const NSID: Option = { code: 3, data: new Uint8Array(0) };
const COOKIE: Option = { code: 10, data: new Uint8Array(8) };

const CASES: [title: string, data: string, query: Option[], response: string[], error?: number][] =
  [
    ["is sent to clients that ask for it", "node-1", [NSID], ["3 node-1"]],
    ["is found after other options", "node-1", [COOKIE, NSID], ["3 node-1"]],
    ["is not sent to clients with other options", "node-1", [COOKIE], []],
    ["is not sent to clients without options", "node-1", [], []],
    ["may be empty", "", [NSID], ["3 "]],
    ["may contain more than ASCII", "Düne", [NSID], ["3 Düne"]],
    ["follows an Extended DNS Error", "node-1", [NSID], ["15 \0\x0f", "3 node-1"], 15],
  ];

for (const [title, data, ednsOptions, expected, extendedError = -1] of CASES) {
  Deno.test(`nsid ${title}`, () => {
    const engine = fakeEngine();
    const exchange = exchangeFor({ name: "example.org", edns: 1232, ednsOptions });
    assert.equal(makeHandler(createNsid, { data }, engine).query!(exchange), NEXT);
    exchange.extendedError = extendedError;
    exchange.response = engine.failure(exchange, RCODE.NOERROR);
    const opt = decodeResponse(exchange).additionals![0] as unknown as { options: Option[] };
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    assert.deepEqual(opt.options.map(({ code, data }) => `${code} ${text(data)}`), expected);
  });
}

Deno.test("nsid does not read past options with a wrong length", () => {
  const handler = makeHandler(createNsid, { data: "x" });
  const exchange = exchangeFor({ name: "example.org", edns: 1232, ednsOptions: [COOKIE, NSID] });
  const lengthAt = exchange.offset + exchange.optionsAt + 2;
  for (const length of [9, 13, 65535]) {
    exchange.memory.view.setUint16(lengthAt, length);
    handler.query!(exchange);
    assert.equal(exchange.nsid, null, `${length}`);
  }
});
