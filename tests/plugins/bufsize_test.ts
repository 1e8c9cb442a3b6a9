import assert from "node:assert/strict";
import { NEXT } from "../../src/engine/handler.ts";
import { createBufsize } from "../../src/plugins/bufsize/handler.ts";
import { exchangeFor } from "../support/engine/fake_engine.ts";
import { queryBytes, responseBytes } from "../support/messages/messages.ts";
import { onlyAnswer, Simulation } from "../support/simulation/simulation.ts";
import { makeHandler } from "./make_handler.ts";

const CASES = [
  { size: 1100, edns: 4096, client: 1100, announced: 1100 },
  { size: 1100, edns: 1100, client: 1100, announced: 1100 },
  { size: 1100, edns: 700, client: 700, announced: 1100 },
  { size: 4096, edns: 65535, client: 4096, announced: 1232 },
  { size: 1232, edns: 4096, client: 1232, announced: 1232 },
  { size: 512, edns: undefined, client: 0, announced: 512 },
];

for (const { size, edns, client, announced } of CASES) {
  const query = edns === undefined ? "a query without OPT" : `an EDNS size of ${edns}`;
  Deno.test(`bufsize ${size} limits ${query} to ${client} and announces ${announced}`, () => {
    const exchange = exchangeFor({ name: "example.org", ...(edns === undefined ? {} : { edns }) });
    assert.equal(makeHandler(createBufsize, { sizeBytes: size }).query!(exchange), NEXT);
    assert.equal(exchange.ednsSize, client);
    assert.equal(exchange.maxUdpSize, size);
    assert.equal(exchange.payloadSize, announced);
  });
}

Deno.test("bufsize is announced to upstreams", () => {
  const simulation = new Simulation(". {\n bufsize 700\n forward . 10.0.0.1\n}");
  simulation.upstream("10.0.0.1:53", (query) => {
    const opt = query.additionals![0] as unknown as { udpPayloadSize: number };
    assert.equal(opt.udpPayloadSize, 700);
    return [{ bytes: responseBytes(query) }];
  });
  const asked = simulation.ask(queryBytes({ name: "www.example.org", edns: 4096 }));
  simulation.run(100);
  assert.equal(onlyAnswer(asked).rcode, "NOERROR");
});
