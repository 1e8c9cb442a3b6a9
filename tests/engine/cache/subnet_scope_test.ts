/** Client subnets that are passed on (`ecs pass`): for whom an answer is kept (RFC 7871 section 7). */
import assert from "node:assert/strict";
import type * as codec from "dns-packet";
import { a, queryBytes, responseBytes } from "../../support/messages/messages.ts";
import { type Behaviour, onlyAnswer, Simulation } from "../../support/simulation/simulation.ts";
import {
  CLIENT_SUBNET,
  type Reply,
  scoped,
  subnet,
  subnetIn,
} from "../../support/simulation/subnets.ts";

interface World {
  simulation: Simulation;
  /** Subnets that the upstream was asked with. */
  asked: (string | null)[];
}

function world(
  reply: Reply,
  { cache = "", forward = "", ttl = 300, rcode = 0 } = {},
): World {
  const asked: (string | null)[] = [];
  const upstream: Behaviour = (query) => {
    const data = subnetIn(query);
    asked.push(data === null ? null : data.join("."));
    const sent = data === null ? null : reply(Uint8Array.from(data));
    const { name } = query.questions![0]!;
    return [{
      bytes: responseBytes(query, {
        rcode,
        answers: rcode === 0 ? [a(name, `192.0.2.${asked.length}`, ttl)] : [],
        options: sent === null ? [] : [{ code: CLIENT_SUBNET, data: sent }],
      }),
      delayMs: 5,
    }];
  };
  const simulation = new Simulation(
    `. {\ncache {\n${cache}\n}\nforward . 10.0.0.1 {\necs pass\n${forward}\n}\n}`,
  );
  simulation.upstream("10.0.0.1:53", upstream);
  return { simulation, asked };
}

/** Asks for a client in a subnet, or with none; which of the upstream's answers it gets, and its scope. */
function ask({ simulation }: World, from: string | null, name = "www.example.org") {
  const ednsOptions = from === null ? [] : [{ code: CLIENT_SUBNET, data: subnet(from) }];
  const asked = simulation.ask(queryBytes({ name, edns: 1232, ednsOptions }));
  simulation.run(100);
  const answer = onlyAnswer(asked);
  const [record] = answer.answers as { data: string }[];
  return {
    rcode: answer.rcode,
    number: record === undefined ? 0 : Number(record.data.split(".")[3]),
    scope: subnetIn(answer)?.[3] ?? null,
  };
}

for (
  const { title, first, reply, told = 0, shared, apart } of [
    {
      title: "a scope of zero is for everybody",
      first: "192.0.2.0/24",
      reply: scoped(0),
      shared: ["198.51.100.0/24", "10.0.0.0/8", "2001:db8:1::/48", null, "0.0.0.0/0"],
      apart: [],
    },
    {
      title: "a reply without the option is for everybody",
      first: "192.0.2.0/24",
      reply: () => null,
      shared: ["198.51.100.0/24", "2001:db8:1::/48", null],
      apart: [],
    },
    {
      title: "a scope shorter than the source is for its network",
      first: "192.0.2.0/24",
      reply: scoped(20),
      told: 20,
      shared: ["192.0.2.0/24", "192.0.15.0/24", "192.0.0.0/20", "192.0.3.7/32"],
      apart: ["192.0.16.0/24", "192.0.0.0/19", "2001:db8:1::/48", null, "0.0.0.0/0"],
    },
    {
      title: "a scope longer than the source is for clients of that very source",
      first: "192.0.2.0/24",
      reply: scoped(28),
      told: 28,
      shared: ["192.0.2.0/24"],
      apart: ["192.0.2.128/25", "192.0.2.99/32", "192.0.3.0/24", "192.0.0.0/16", null],
    },
    {
      title: "a scope much longer than the source says nothing of the networks within the source",
      first: "10.0.0.0/8",
      reply: scoped(24),
      told: 24,
      shared: ["10.0.0.0/8"],
      apart: ["10.1.2.0/24", "10.9.9.0/24", "10.0.0.0/9", "10.0.0.0/24", "10.0.0.0/7", null],
    },
    {
      title: "a scope longer than the source, IPv6",
      first: "2001:db8:1::/48",
      reply: scoped(56),
      told: 56,
      shared: ["2001:db8:1::/48"],
      apart: ["2001:db8:1:0::/64", "2001:db8:1::/47", "10.0.0.0/8", null],
    },
    {
      title: "a scope of the source's length",
      first: "2001:db8:1::/48",
      reply: scoped(48),
      told: 48,
      shared: ["2001:db8:1:7::/64", "2001:db8:1::/48"],
      apart: ["2001:db8:2::/48", "2001:db8:0::/47", "32.1.13.184/32", null],
    },
    {
      title: "a scope within an octet",
      first: "192.0.2.0/24",
      reply: scoped(23),
      told: 23,
      shared: ["192.0.3.0/24"],
      apart: ["192.0.4.0/24", "192.0.1.0/24"],
    },
    {
      title: "a scope longer than any address",
      first: "192.0.2.7/32",
      reply: scoped(255),
      told: 32,
      shared: ["192.0.2.7/32"],
      apart: ["192.0.2.6/32", "192.0.2.0/24"],
    },
    {
      title: "a source of zero is for others that give nothing away, whatever the scope",
      first: "0.0.0.0/0",
      reply: scoped(0),
      shared: ["0.0.0.0/0"],
      apart: ["192.0.2.0/24", null],
    },
    {
      title: "clients without a subnet",
      first: null,
      reply: scoped(0),
      told: null,
      shared: [null],
      apart: ["192.0.2.0/24", "0.0.0.0/0"],
    },
  ] as {
    title: string;
    first: string | null;
    reply: Reply;
    told?: number | null;
    shared: (string | null)[];
    apart: (string | null)[];
  }[]
) {
  Deno.test(`ecs pass: ${title}`, () => {
    for (const [clients, number] of [[shared, 1], [apart, 2]] as const) {
      for (const from of clients) {
        const one = world(reply);
        assert.deepEqual(ask(one, first), { rcode: "NOERROR", number: 1, scope: told });
        const got = ask(one, from);
        assert.equal(got.number, number, `${from}`);
        if (number === 1) assert.equal(got.scope, from === null ? null : told ?? null, `${from}`);
      }
    }
  });
}

Deno.test("ecs pass: 30,000 clients ask once for a name whose answer is for everybody", () => {
  const one = world(scoped(0));
  ask(one, "10.0.0.0/24");
  for (let i = 1; i < 30_000; i++) {
    const data = subnet(`10.${i >> 8}.${i & 255}.0/24`);
    const bytes = queryBytes({
      name: "www.example.org",
      edns: 1232,
      ednsOptions: [{ code: 8, data }],
    });
    assert.equal(one.simulation.ask(bytes).answers.length, 1);
  }
  assert.equal(one.asked.length, 1);
  assert.equal(one.simulation.count("coredns_cache_entries"), 1);
});

Deno.test("ecs pass: a name is kept for a hundred subnets, and pushes out none but its own", () => {
  const one = world(scoped(24));
  ask(one, null, "other.example.org");
  for (let i = 0; i < 400; i++) ask(one, `10.0.${i & 255}.0/${i < 256 ? 24 : 32}`);
  assert.equal(one.simulation.count("coredns_cache_entries"), 101);
  assert.ok(one.simulation.count("coredns_cache_evictions_total") >= 156);
  const before = one.asked.length;
  ask(one, null, "other.example.org");
  assert.equal(one.asked.length, before);
});

Deno.test("ecs pass: the longest prefix counts, as long as it is good", () => {
  let scope = 16;
  const one = world((asked) => scoped(scope)(asked), { ttl: 60 });
  assert.equal(ask(one, "192.0.2.0/24").number, 1);
  one.simulation.run(30_000);
  scope = 24;
  // A network that is not within the first one's source must be asked for: 192.0/16 is known.
  assert.equal(ask(one, "192.0.9.0/24").number, 1);
  one.simulation.run(31_000);
  assert.equal(ask(one, "192.0.2.0/24").number, 2);
  scope = 16;
  assert.equal(ask(one, "192.0.9.0/24").number, 3);
  // Both 192.0.2/24 and 192.0/16 are known now.
  assert.equal(ask(one, "192.0.2.0/24").number, 2);
  one.simulation.run(59_500);
  assert.equal(ask(one, "192.0.9.0/24").number, 3);
});

Deno.test("ecs pass: an expired answer of a narrow network gives way to a wide one that is good", () => {
  const ttls = [10, 300];
  const scopes = [24, 0];
  const asked: string[] = [];
  const simulation = new Simulation(
    ". {\ncache {\nserve_stale 1h\n}\nforward . 10.0.0.1 {\necs pass\n}\n}",
  );
  simulation.upstream("10.0.0.1:53", (query) => {
    const data = Uint8Array.from(subnetIn(query)!);
    const i = asked.push(data.join(".")) - 1;
    data[3] = scopes[i]!;
    const answers = [a("www.example.org", `192.0.2.${i + 1}`, ttls[i]!)];
    return [{ bytes: responseBytes(query, { answers, options: [{ code: 8, data }] }) }];
  });
  const one = { simulation, asked };
  assert.equal(ask(one, "192.0.2.0/24").number, 1);
  assert.equal(ask(one, "198.51.100.0/24").number, 2);
  assert.equal(ask(one, "192.0.2.0/24").number, 1);
  simulation.run(11_000);
  assert.equal(ask(one, "192.0.2.0/24").number, 2);
  assert.equal(asked.length, 2);
});

Deno.test("ecs pass: a failure is kept for the very subnet that was asked for", () => {
  const one = world(scoped(0), { rcode: 2 });
  const failed = (from: string | null) => {
    const before = one.asked.length;
    assert.equal(ask(one, from).rcode, "SERVFAIL");
    return one.asked.length > before;
  };
  assert.ok(failed("192.0.0.0/16"));
  assert.ok(!failed("192.0.0.0/16"));
  for (const from of ["192.0.2.0/24", "192.0.0.0/15", "10.0.0.0/8", null]) {
    assert.ok(failed(from), `${from}`);
  }
});

Deno.test("ecs pass: a failure of nodens' own says nothing of subnets, kept or not", () => {
  const one = world(scoped(0));
  one.simulation.upstream("10.0.0.1:53", (query) => {
    one.asked.push("");
    return query.questions![0]!.type === "NS" ? [] : "refuse";
  });
  const failed = { rcode: "SERVFAIL", number: 0, scope: null };
  assert.deepEqual(ask(one, "192.0.2.0/24"), failed);
  const before = one.asked.length;
  assert.deepEqual(ask(one, "192.0.2.0/24"), failed);
  assert.equal(one.asked.length, before);
});

Deno.test("ecs pass: a denial takes the place of every answer that its client would get", () => {
  let rcode = 0;
  const one = world(scoped(24));
  one.simulation.upstream("10.0.0.1:53", (query) => {
    const data = subnetIn(query);
    const options = data === null ? [] : [{ code: 8, data: scoped(24)(Uint8Array.from(data))! }];
    one.asked.push("");
    const answers = rcode === 0 ? [a("www.example.org", "192.0.2.1", 5)] : [];
    const authorities = rcode === 0 ? [] : [{
      type: "SOA",
      name: "example.org",
      ttl: 60,
      data: { mname: "a.", rname: "b.", serial: 1, refresh: 1, retry: 1, expire: 1, minimum: 60 },
    } as codec.Answer];
    return [{ bytes: responseBytes(query, { rcode, answers, authorities, options }) }];
  });
  assert.equal(ask(one, "192.0.2.0/24").rcode, "NOERROR");
  assert.equal(ask(one, "192.0.3.0/24").rcode, "NOERROR");
  one.simulation.run(6000);
  rcode = 3;
  assert.equal(ask(one, "192.0.2.0/24").rcode, "NXDOMAIN");
  rcode = 0;
  assert.equal(ask(one, "192.0.2.0/24").rcode, "NXDOMAIN");
  assert.equal(ask(one, "192.0.3.0/24").rcode, "NOERROR");
});

const changed = (change: (data: Uint8Array) => Uint8Array | void): Reply => (asked) =>
  change(asked) ?? asked;
for (
  const { title, reply, dropped, from = "192.0.2.0/24" } of [
    { title: "the same subnet", reply: scoped(24), dropped: false },
    { title: "none", reply: () => null, dropped: false },
    { title: "another address", reply: changed((data) => void (data[6]! ^= 1)), dropped: true },
    { title: "another family", reply: changed((data) => void (data[1] = 2)), dropped: true },
    { title: "an unknown family", reply: changed((data) => void (data[1] = 9)), dropped: true },
    { title: "a shorter source", reply: changed((data) => void (data[2] = 23)), dropped: true },
    { title: "a longer source", reply: changed((data) => void (data[2] = 25)), dropped: true },
    { title: "half an address", reply: changed((data) => data.slice(0, 6)), dropped: true },
    { title: "half a head", reply: changed((data) => data.slice(0, 3)), dropped: true },
    { title: "nothing at all", reply: () => new Uint8Array(0), dropped: true },
    {
      title: "bits beyond the source, which mean nothing",
      from: "192.0.2.0/23",
      reply: changed((data) => void (data[6]! |= 1)),
      dropped: false,
    },
    {
      title: "what it went by, where it was told nothing",
      from: "0.0.0.0/0",
      reply: () => Uint8Array.of(0, 2, 0, 0),
      dropped: false,
    },
    {
      title: "a source, where it was told nothing",
      from: "0.0.0.0/0",
      reply: () => Uint8Array.of(0, 1, 8, 0, 10),
      dropped: true,
    },
  ] as { title: string; reply: Reply; dropped: boolean; from?: string }[]
) {
  for (const way of ["", "force_tcp"]) {
    Deno.test(`ecs pass: a reply for ${title} ${way} ${dropped ? "is dropped" : "is taken"}`, () => {
      const one = world(reply, { forward: way });
      // Dropped, the question goes out again without the subnet, as unbound does.
      assert.equal(ask(one, from).number, dropped ? 2 : 1);
      assert.deepEqual(one.asked.slice(1), dropped ? [null] : []);
      assert.equal(one.simulation.count("nodens_forward_wrong_subnets_total"), dropped ? 1 : 0);
    });
  }
}
