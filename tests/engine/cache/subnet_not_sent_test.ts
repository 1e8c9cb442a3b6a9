/** Client subnets (`ecs pass`) that an upstream was not told of: who gets its answer all the same. */
import assert from "node:assert/strict";
import type * as codec from "dns-packet";
import { a, queryBytes, responseBytes } from "../../support/messages/messages.ts";
import { onlyAnswer, Simulation } from "../../support/simulation/simulation.ts";
import { CLIENT_SUBNET, scoped, subnet, subnetIn } from "../../support/simulation/subnets.ts";

interface World {
  simulation: Simulation;
  /** Subnets that the upstream was asked with. */
  asked: (string | null)[];
}

/** An upstream that scopes its answers to the source, and may be told what else to do with a query. */
function world(
  forward: string,
  odd: (
    i: number,
    query: codec.DecodedPacket,
    transport: "udp" | "tcp",
  ) => Uint8Array | "nothing" | "usual",
): World {
  const asked: (string | null)[] = [];
  const simulation = new Simulation(
    `. {\ncache\nforward . 10.0.0.1 {\necs pass\n${forward}\n}\n}`,
  );
  simulation.upstream("10.0.0.1:53", (query, transport) => {
    const { name, type } = query.questions![0]!;
    const i = type === "NS" ? -1 : asked.length;
    const data = subnetIn(query);
    if (i >= 0) asked.push(data === null ? null : data.join("."));
    const done = odd(i, query, transport);
    if (done === "nothing") return [];
    const options = data === null ? [] : [{ code: CLIENT_SUBNET, data: scoped(data[2]!)(data)! }];
    const usual = () =>
      responseBytes(query, { answers: [a(name, `192.0.2.${asked.length}`)], options });
    return [{ bytes: done === "usual" ? usual() : done, delayMs: 5 }];
  });
  return { simulation, asked };
}

/** Asks as `ask` does, and gives the question the time that several attempts take. */
function ask(one: World, from: string | null, name?: string) {
  const ednsOptions = from === null ? [] : [{ code: CLIENT_SUBNET, data: subnet(from) }];
  const bytes = queryBytes({ name: name ?? "www.example.org", edns: 1232, ednsOptions });
  const asked = one.simulation.ask(bytes);
  one.simulation.run(4900);
  const answer = onlyAnswer(asked);
  const [record] = answer.answers as { data: string }[];
  return { number: Number(record!.data.split(".")[3]), scope: subnetIn(answer)?.[3] ?? null };
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
        // Told nothing of the address, it may say what it went by.
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
      title: "EDNS is refused, without a word of it",
      odd: (_, query) =>
        query.additionals!.length === 0 ? "usual" : responseBytes(query, { rcode: 1, edns: false }),
    },
    {
      title: "options are refused, and the answer names a scope all the same",
      odd: (_, query) =>
        subnetIn(query) === null
          ? responseBytes(query, {
            answers: [a(query.questions![0]!.name, "192.0.2.2")],
            options: [{ code: CLIENT_SUBNET, data: subnet("10.0.2.0/24", 16) }],
          })
          : responseBytes(query, { rcode: 1 }),
    },
  ] as { title: string; forward?: string; odd: Parameters<typeof world>[1] }[]
) {
  Deno.test(`ecs pass: an answer had without the subnet is for its client alone: ${title}`, () => {
    const one = world(forward, odd);
    const own = ask(one, "10.0.2.0/24");
    const sent = one.asked.length;
    assert.deepEqual(own, { number: sent, scope: null });
    assert.equal(one.asked.at(-1), null);
    // Out of the cache likewise, and to nobody else.
    assert.deepEqual(ask(one, "10.0.2.0/24"), own);
    assert.equal(one.asked.length, sent);
    for (
      const from of [
        "10.0.3.0/24",
        "10.0.2.0/25",
        "10.0.2.200/32",
        "10.0.0.0/16",
        "0.0.0.0/0",
        null,
      ]
    ) {
      const before: number = one.asked.length;
      ask(one, from);
      assert.ok(one.asked.length > before, `${from}`);
    }
  });
}

for (const sent of [true, false]) {
  Deno.test(`ecs pass: a truncated answer, asked for ${sent ? "with" : "without"} the subnet`, () => {
    const one = world("no_cookies", (_, query, transport) => {
      const data = subnetIn(query);
      // The whole answer cannot be had, whatever way it is asked for.
      if (transport === "tcp") {
        return query.additionals!.length === 0 ? "nothing" : responseBytes(query, { rcode: 1 });
      }
      if (!sent && data !== null) return responseBytes(query, { rcode: 1 });
      const options = data === null ? [] : [{ code: CLIENT_SUBNET, data: scoped(24)(data)! }];
      return responseBytes(query, { truncated: true, options });
    });
    const ednsOptions = [{ code: CLIENT_SUBNET, data: subnet("10.0.2.0/24") }];
    const bytes = queryBytes({ name: "www.example.org", edns: 1232, ednsOptions });
    const asked = one.simulation.ask(bytes);
    one.simulation.run(4900);
    const answer = onlyAnswer(asked);
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
  ] as { title: string; odd: Parameters<typeof world>[1] }[]
) {
  for (const forward of ["", "no_cookies"]) {
    Deno.test(`ecs pass: ${title} costs the next name no subnet ${forward}`, () => {
      const one = world(forward, odd);
      const ednsOptions = [{ code: CLIENT_SUBNET, data: subnet("10.0.2.0/24") }];
      one.simulation.ask(queryBytes({ name: "first.example.org", edns: 1232, ednsOptions }));
      // Longer than any form is given to be answered.
      one.simulation.run(5000);
      assert.equal(ask(one, "10.0.2.0/24", "next.example.org").scope, 24);
      assert.equal(one.asked.at(-1), "0.1.24.0.10.0.2");
    });
  }
}
