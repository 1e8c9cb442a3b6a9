import assert from "node:assert/strict";
import fc from "fast-check";
import { readHostReply } from "../../src/follow/host_lookup.ts";
import { parseAddress } from "../../src/dns/address.ts";
import { a, decode, queryBytes, responseBytes } from "../support/messages/messages.ts";

const HOST = "dns.example.org";
const QUESTION = { id: 0x1234, host: HOST, type: "A" } as const;
const query = decode(queryBytes({ name: HOST, id: QUESTION.id }));
const REPLY = responseBytes(query, {
  answers: [
    { type: "CNAME", name: HOST, ttl: 7, data: "a.example.net", class: "IN" },
    a("a.example.net", "192.0.2.1", 9),
    a("a.example.net", "192.0.2.2", 8),
  ],
});

Deno.test("lookup reply: rcode, addresses and the chain's lowest TTL are read", () => {
  assert.deepEqual(readHostReply(REPLY, QUESTION), {
    rcode: "NOERROR",
    truncated: false,
    addresses: ["192.0.2.1", "192.0.2.2"],
    ttlSeconds: 7,
  });
});

Deno.test("lookup reply: damaged replies never throw, and give addresses or nothing", () => {
  const damage = fc.array(fc.tuple(fc.nat(REPLY.length - 1), fc.nat(255)), { maxLength: 6 });
  const cut = fc.option(fc.nat(REPLY.length));
  fc.assert(
    fc.property(damage, cut, (changes, length) => {
      const bytes = REPLY.slice(0, length ?? REPLY.length);
      for (const [at, octet] of changes) if (at < bytes.length) bytes[at] = octet;
      const reply = readHostReply(bytes, QUESTION);
      if (reply === null) return;
      assert.ok(reply.addresses.every((address) => parseAddress(address) !== null));
      assert.equal(bytes[0]! << 8 | bytes[1]!, QUESTION.id);
    }),
    { numRuns: 5000 },
  );
});

Deno.test("lookup reply: parsing terminates for a reply full of records and links", () => {
  const links = Array.from({ length: 1000 }, (_, i) => ({
    type: "CNAME" as const,
    name: i === 0 ? HOST : `n${i}.example.net`,
    ttl: 1,
    data: `n${i + 1}.example.net`,
    class: "IN" as const,
  }));
  const reply = readHostReply(responseBytes(query, { answers: links }), QUESTION);
  assert.deepEqual([reply?.addresses, reply?.ttlSeconds], [[], 0]);
});

Deno.test("lookup reply: a reply with chains of pointers is rejected", () => {
  const bytes = new Uint8Array(65_535);
  const view = new DataView(bytes.buffer);
  const question = queryBytes({ name: HOST, id: QUESTION.id });
  bytes.set(question);
  view.setUint16(2, 0x8180);
  let at = question.length;
  let records = 0;
  const record = (owner: number, type: number, size: number) => {
    view.setUint16(at, 0xc000 | owner);
    view.setUint16(at + 2, type);
    view.setUint16(at + 4, 1);
    view.setUint16(at + 10, size);
    at += 12 + size;
    view.setUint16(6, ++records);
    return at - size;
  };
  const links = 7000;
  const dataAt = record(12, 65280, 2 * links);
  for (let i = 0; i < links; i++) {
    view.setUint16(dataAt + 2 * i, 0xc000 | (i === 0 ? 12 : dataAt + 2 * (i - 1)));
  }
  while (at + 16 <= bytes.length && records < 3000) record(dataAt + 2 * (links - 1), 1, 4);
  assert.equal(readHostReply(bytes.subarray(0, at), QUESTION), null);
});
