/** Client subnets (`ecs pass`) that the upstream did not get: clients that may get its answer. */
import assert from "node:assert/strict";
import type * as codec from "dns-packet";
import { a, responseBytes } from "../../support/messages/messages.ts";
import {
  askFrom,
  CacheWorld,
  NAME,
  replyOptions,
  subnetOptions,
} from "../../support/simulation/cache_world.ts";
import { CLIENT_SUBNET, scoped, subnet, subnetIn } from "../../support/simulation/subnets.ts";

/** Behaviour of an unusual upstream at its query `i`; -1 for queries of type NS. */
type Odd = (
  i: number,
  query: codec.DecodedPacket,
  transport: "udp" | "tcp",
) => Uint8Array | "nothing" | "usual";

const WAIT = { waitMs: 4900 };

/** An upstream that usually scopes its answers to the source; `asked` are the subnets it got. */
function world(forward: string, odd: Odd) {
  const asked: (string | null)[] = [];
  const world = new CacheWorld(
    (query, transport) => {
      const { name, type } = query.questions![0]!;
      const i = type === "NS" ? -1 : asked.length;
      const data = subnetIn(query);
      if (i >= 0) asked.push(data === null ? null : data.join("."));
      const done = odd(i, query, transport);
      if (done === "nothing") return [];
      const usual = () =>
        responseBytes(query, {
          answers: [a(name, `192.0.2.${asked.length}`)],
          options: replyOptions(query, (data) => scoped(data[2]!)(data)),
        });
      return [{ bytes: done === "usual" ? usual() : done, delayMs: 5 }];
    },
    "",
    { forward: `ecs pass\n${forward}` },
  );
  return Object.assign(world, { asked });
}

for (
  const { title, forward = "no_cookies", odd } of [
    {
      title: "one packet is lost",
      odd: (i) => i === 0 ? "nothing" : "usual",
    },
    {
      title: "one packet is lost, and cookies are in use",
      forward: "",
      odd: (i) => i === 0 ? "nothing" : "usual",
    },
    {
      title: "replies are for another subnet",
      odd: (_, query) => {
        const data = subnetIn(query);
        // Without an address in the query, any subnet in the reply is valid.
        if (data === null || data[2] === 0) return "usual";
        data[1] = 9;
        return responseBytes(query, { options: [{ code: CLIENT_SUBNET, data }] });
      },
    },
    {
      title: "options are refused",
      odd: (_, query) => subnetIn(query) === null ? "usual" : responseBytes(query, { rcode: 1 }),
    },
    {
      title: "EDNS is refused by a reply without EDNS",
      odd: (_, query) =>
        query.additionals!.length === 0 ? "usual" : responseBytes(query, { rcode: 1, edns: false }),
    },
    {
      title: "options are refused, but the answer has a scope",
      odd: (_, query) =>
        subnetIn(query) === null
          ? responseBytes(query, {
            answers: [a(NAME, "192.0.2.2")],
            options: [{ code: CLIENT_SUBNET, data: subnet("10.0.2.0/24", 16) }],
          })
          : responseBytes(query, { rcode: 1 }),
    },
  ] as { title: string; forward?: string; odd: Odd }[]
) {
  Deno.test(`ecs pass: an answer to a query without the subnet is only for its client: ${title}`, () => {
    const one = world(forward, odd);
    const own = askFrom(one, "10.0.2.0/24", WAIT);
    const sent = one.asked.length;
    assert.deepEqual(own, { rcode: "NOERROR", number: sent, scope: null });
    assert.equal(one.asked.at(-1), null);
    // The cache gives this client the same answer, and no other client.
    assert.deepEqual(askFrom(one, "10.0.2.0/24", WAIT), own);
    assert.equal(one.asked.length, sent);
    const others = [
      "10.0.3.0/24",
      "10.0.2.0/25",
      "10.0.2.200/32",
      "10.0.0.0/16",
      "0.0.0.0/0",
      null,
    ];
    for (const from of others) {
      const before: number = one.asked.length;
      askFrom(one, from, WAIT);
      assert.ok(one.asked.length > before, `${from}`);
    }
  });
}

for (const sent of [true, false]) {
  Deno.test(`ecs pass: a truncated answer to a query ${sent ? "with" : "without"} the subnet has ${sent ? "a" : "no"} scope`, () => {
    const one = world("no_cookies", (_, query, transport) => {
      const data = subnetIn(query);
      if (transport === "tcp") {
        return query.additionals!.length === 0 ? "nothing" : responseBytes(query, { rcode: 1 });
      }
      if (!sent && data !== null) return responseBytes(query, { rcode: 1 });
      return responseBytes(query, { truncated: true, options: replyOptions(query, scoped(24)) });
    });
    const answer = one.ask({ edns: 1232, ednsOptions: subnetOptions("10.0.2.0/24") }, WAIT);
    assert.equal(answer.flag_tc, true);
    assert.equal(subnetIn(answer)?.[3] ?? null, sent ? 24 : null);
    assert.equal(one.asked.at(-1), null);
  });
}

for (
  const { title, odd } of [
    {
      title: "a reply for another subnet",
      odd: (i, query) => {
        const data = subnetIn(query);
        if (i !== 0 || data === null) return "usual";
        data[6]! ^= 1;
        return responseBytes(query, { options: [{ code: CLIENT_SUBNET, data }] });
      },
    },
    {
      title: "a truncated reply, and nothing over TCP",
      odd: (i, query, transport) =>
        transport === "tcp"
          ? "nothing"
          : i === 0
          ? responseBytes(query, { truncated: true })
          : "usual",
    },
  ] as { title: string; odd: Odd }[]
) {
  for (const forward of ["", "no_cookies"]) {
    Deno.test(`ecs pass: after ${title}, the next query has its subnet ${forward}`, () => {
      const one = world(forward, odd);
      one.send({
        name: "first.example.org",
        edns: 1232,
        ednsOptions: subnetOptions("10.0.2.0/24"),
      });
      one.run(5000);
      const next = askFrom(one, "10.0.2.0/24", { ...WAIT, name: "next.example.org" });
      assert.equal(next.scope, 24);
      assert.equal(one.asked.at(-1), "0.1.24.0.10.0.2");
    });
  }
}
