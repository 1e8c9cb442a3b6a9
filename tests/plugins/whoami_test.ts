import assert from "node:assert/strict";
import { ANSWERED } from "../../src/engine/handler.ts";
import { createWhoami } from "../../src/plugins/whoami/handler.ts";
import { decodeResponse, exchangeFor, fakeEngine } from "../support/engine/fake_engine.ts";

const LABEL = "a".repeat(63);
const LONGEST = `${LABEL}.${LABEL}.${LABEL}.${"a".repeat(61)}`;

const CASES = [
  {
    client: { address: "192.0.2.7", port: 40212 },
    query: { name: "example.org", type: "A" },
    records: [
      { name: "example.org", type: "A", data: "192.0.2.7" },
      { name: "_udp.example.org", type: "SRV", port: 40212 },
    ],
  },
  {
    client: { address: "2001:db8::7", port: 53 },
    query: { name: "eXample.org", type: "AAAA", transport: "tcp" as const },
    records: [
      { name: "eXample.org", type: "AAAA", data: "2001:db8::7" },
      { name: "_tcp.eXample.org", type: "SRV", port: 53 },
    ],
  },
  {
    client: { address: "192.0.2.7", port: 1 },
    query: { name: ".", type: "TXT" },
    records: [
      { name: ".", type: "A", data: "192.0.2.7" },
      { name: "_udp", type: "SRV", port: 1 },
    ],
  },
  {
    client: { address: "192.0.2.7", port: 2 },
    query: { name: LONGEST, type: "A" },
    records: [
      { name: LONGEST, type: "A", data: "192.0.2.7" },
      { name: LONGEST, type: "SRV", port: 2 },
    ],
  },
];

for (const { client, query, records } of CASES) {
  Deno.test(`whoami answers ${query.name.slice(0, 20)} ${query.type} of ${client.address}`, () => {
    const engine = fakeEngine(client);
    const handler = createWhoami({}, { engine, zones: ["."], position: 0 });
    const exchange = exchangeFor(query);
    assert.equal(handler.query!(exchange), ANSWERED);
    const response = decodeResponse(exchange);
    assert.equal(response.rcode, "NOERROR");
    assert.equal(response.flag_aa, true);
    assert.deepEqual(response.answers, []);
    assert.deepEqual(
      response.additionals!.map((record) => {
        const { name, type } = record;
        const { ttl, data } = record as { ttl?: number; data: unknown };
        assert.equal(ttl, 0);
        if (type !== "SRV") return { name, type, data };
        const srv = data as { priority: number; weight: number; port: number; target: string };
        assert.deepEqual([srv.priority, srv.weight, srv.target], [0, 0, "."]);
        return { name, type, port: srv.port };
      }),
      records,
    );
  });
}
