import assert from "node:assert/strict";
import { ANSWERED } from "../../src/engine/handler.ts";
import { createWhoami } from "../../src/plugins/whoami/handler.ts";
import { decodeResponse, exchangeFor, fakeEngine } from "../support/engine/fake_engine.ts";
import { makeHandler } from "./make_handler.ts";

const LABEL = "a".repeat(63);
const LONGEST = `${LABEL}.${LABEL}.${LABEL}.${"a".repeat(61)}`;
const TCP = { type: "AAAA", transport: "tcp" as const };

const CASES: [
  client: { address: string; port: number },
  query: Parameters<typeof exchangeFor>[0],
  owners: [address: string, service: string],
][] = [
  [{ address: "192.0.2.7", port: 40212 }, { name: "a.test", type: "A" }, ["a.test", "_udp.a.test"]],
  [{ address: "2001:db8::7", port: 53 }, { name: "A.test", ...TCP }, ["A.test", "_tcp.A.test"]],
  [{ address: "192.0.2.7", port: 1 }, { name: ".", type: "TXT" }, [".", "_udp"]],
  [{ address: "192.0.2.7", port: 2 }, { name: LONGEST, type: "A" }, [LONGEST, LONGEST]],
];

for (const [client, query, [owner, service]] of CASES) {
  const { address, port } = client;
  Deno.test(`whoami answers ${query.name.slice(0, 20)} ${query.type} of ${address}`, () => {
    const exchange = exchangeFor(query);
    assert.equal(makeHandler(createWhoami, {}, fakeEngine(client)).query!(exchange), ANSWERED);
    const response = decodeResponse(exchange);
    assert.equal(response.rcode, "NOERROR");
    assert.equal(response.flag_aa, true);
    assert.deepEqual(response.answers, []);
    const shown = response.additionals!.map((record) => {
      const { name, type, ttl, data } = record as typeof record & { ttl?: number; data: unknown };
      return { name, type, ttl, data };
    });
    const srv = { priority: 0, weight: 0, port, target: "." };
    assert.deepEqual(shown, [
      { name: owner, type: address.includes(":") ? "AAAA" : "A", ttl: 0, data: address },
      { name: service, type: "SRV", ttl: 0, data: srv },
    ]);
  });
}
