/** Client subnets (`ecs pass`): clients that may get an answer (RFC 7871 section 7). */
import assert from "node:assert/strict";
import { a, responseBytes, soa } from "../../support/messages/messages.ts";
import {
  askFrom as ask,
  CacheWorld,
  NAME,
  replyOptions,
  subnetOptions,
} from "../../support/simulation/cache_world.ts";
import { type Reply, scoped, subnetIn } from "../../support/simulation/subnets.ts";

type Said = Parameters<typeof responseBytes>[1];

/**
 * An upstream that answers its query `i` with `said(i)` and an option; `asked` are the subnets it
 * got.
 */
function world(
  reply: (i: number) => Reply,
  said: (i: number, name: string) => Said = numbered(300),
  { cache = "", forward = "" } = {},
) {
  const asked: (string | null)[] = [];
  const world = new CacheWorld(
    (query) => {
      const i = asked.push(subnetIn(query)?.join(".") ?? null);
      const options = replyOptions(query, reply(i));
      return [{
        bytes: responseBytes(query, { ...said(i, query.questions![0]!.name), options }),
        delayMs: 5,
      }];
    },
    cache,
    { forward: `ecs pass\n${forward}` },
  );
  return Object.assign(world, { asked });
}

function numbered(ttl: number): (i: number, name: string) => Said {
  return (i, name) => ({ answers: [a(name, `192.0.2.${i}`, ttl)] });
}

for (
  const { title, first, reply, told = 0, shared, apart } of [
    {
      title: "a scope of zero is for all clients",
      first: "192.0.2.0/24",
      reply: scoped(0),
      shared: ["198.51.100.0/24", "10.0.0.0/8", "2001:db8:1::/48", null, "0.0.0.0/0"],
      apart: [],
    },
    {
      title: "a reply without the option is for all clients",
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
      title: "a scope longer than the source is for clients with exactly this source",
      first: "192.0.2.0/24",
      reply: scoped(28),
      told: 28,
      shared: ["192.0.2.0/24"],
      apart: ["192.0.2.128/25", "192.0.2.99/32", "192.0.3.0/24", "192.0.0.0/16", null],
    },
    {
      title: "a scope much longer than the source is not for the networks within the source",
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
      title: "a source of zero is for clients with a source of zero, whatever the scope",
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
        const one = world(() => reply);
        assert.deepEqual(ask(one, first), { rcode: "NOERROR", number: 1, scope: told });
        const got = ask(one, from);
        assert.equal(got.number, number, `${from}`);
        if (number === 1) assert.equal(got.scope, from === null ? null : told ?? null, `${from}`);
      }
    }
  });
}

Deno.test("ecs pass: 30,000 clients share one query if its answer is for all", () => {
  const one = world(() => scoped(0));
  ask(one, "10.0.0.0/24");
  for (let i = 1; i < 30_000; i++) {
    const ednsOptions = subnetOptions(`10.${i >> 8}.${i & 255}.0/24`);
    assert.equal(one.send({ edns: 1232, ednsOptions }).answers.length, 1);
  }
  assert.equal(one.asked.length, 1);
  assert.equal(one.count("coredns_cache_entries"), 1);
});

Deno.test("ecs pass: a name has a hundred subnets at most, which evict only each other", () => {
  const one = world(() => scoped(24));
  ask(one, null, { name: "other.example.org" });
  for (let i = 0; i < 400; i++) ask(one, `10.0.${i & 255}.0/${i < 256 ? 24 : 32}`);
  assert.equal(one.count("coredns_cache_entries"), 101);
  assert.ok(one.count("coredns_cache_evictions_total") >= 156);
  const before = one.asked.length;
  ask(one, null, { name: "other.example.org" });
  assert.equal(one.asked.length, before);
});

Deno.test("ecs pass: the answer with the longest prefix is used while it is fresh", () => {
  let scope = 16;
  const one = world(() => scoped(scope), numbered(60));
  assert.equal(ask(one, "192.0.2.0/24").number, 1);
  one.run(30_000);
  scope = 24;
  assert.equal(ask(one, "192.0.9.0/24").number, 1);
  one.run(31_000);
  assert.equal(ask(one, "192.0.2.0/24").number, 2);
  scope = 16;
  assert.equal(ask(one, "192.0.9.0/24").number, 3);
  assert.equal(ask(one, "192.0.2.0/24").number, 2);
  one.run(59_500);
  assert.equal(ask(one, "192.0.9.0/24").number, 3);
});

Deno.test("ecs pass: a fresh answer for a wide network precedes an expired one for a narrow network", () => {
  const one = world(
    (i) => scoped(i === 1 ? 24 : 0),
    (i, name) => numbered(i === 1 ? 10 : 300)(i, name),
    { cache: "serve_stale 1h" },
  );
  assert.equal(ask(one, "192.0.2.0/24").number, 1);
  assert.equal(ask(one, "198.51.100.0/24").number, 2);
  assert.equal(ask(one, "192.0.2.0/24").number, 1);
  one.run(11_000);
  assert.equal(ask(one, "192.0.2.0/24").number, 2);
  assert.equal(one.asked.length, 2);
});

Deno.test("ecs pass: a failure is stored for exactly the subnet of its query", () => {
  const one = world(() => scoped(0), () => ({ rcode: 2 }));
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

Deno.test("ecs pass: a failure of nodens itself has no scope, new or cached", () => {
  const one = world(() => scoped(0));
  one.behaviour = (query) => {
    one.asked.push("");
    return query.questions![0]!.type === "NS" ? [] : "refuse";
  };
  const failed = { rcode: "SERVFAIL", number: 0, scope: null };
  assert.deepEqual(ask(one, "192.0.2.0/24"), failed);
  const before = one.asked.length;
  assert.deepEqual(ask(one, "192.0.2.0/24"), failed);
  assert.equal(one.asked.length, before);
});

Deno.test("ecs pass: a denial replaces every answer that its client would get", () => {
  let denies = false;
  const one = world(
    () => scoped(24),
    () =>
      denies
        ? { rcode: 3, authorities: [soa("example.org", 60)] }
        : { answers: [a(NAME, "192.0.2.1", 5)] },
  );
  assert.equal(ask(one, "192.0.2.0/24").rcode, "NOERROR");
  assert.equal(ask(one, "192.0.3.0/24").rcode, "NOERROR");
  one.run(6000);
  denies = true;
  assert.equal(ask(one, "192.0.2.0/24").rcode, "NXDOMAIN");
  denies = false;
  assert.equal(ask(one, "192.0.2.0/24").rcode, "NXDOMAIN");
  assert.equal(ask(one, "192.0.3.0/24").rcode, "NOERROR");
});

const changed = (change: (data: Uint8Array) => Uint8Array | void): Reply => (asked) =>
  change(asked) ?? asked;
for (
  const { title, reply, dropped, from = "192.0.2.0/24" } of [
    { title: "the same subnet", reply: scoped(24), dropped: false },
    { title: "no subnet", reply: () => null, dropped: false },
    { title: "another address", reply: changed((data) => void (data[6]! ^= 1)), dropped: true },
    { title: "another family", reply: changed((data) => void (data[1] = 2)), dropped: true },
    { title: "an unknown family", reply: changed((data) => void (data[1] = 9)), dropped: true },
    { title: "a shorter source", reply: changed((data) => void (data[2] = 23)), dropped: true },
    { title: "a longer source", reply: changed((data) => void (data[2] = 25)), dropped: true },
    { title: "half an address", reply: changed((data) => data.slice(0, 6)), dropped: true },
    { title: "half a head", reply: changed((data) => data.slice(0, 3)), dropped: true },
    { title: "an empty option", reply: () => new Uint8Array(0), dropped: true },
    {
      title: "bits beyond the source, which are ignored",
      from: "192.0.2.0/23",
      reply: changed((data) => void (data[6]! |= 1)),
      dropped: false,
    },
    {
      title: "any family, to a query without an address",
      from: "0.0.0.0/0",
      reply: () => Uint8Array.of(0, 2, 0, 0),
      dropped: false,
    },
    {
      title: "a source, to a query without an address",
      from: "0.0.0.0/0",
      reply: () => Uint8Array.of(0, 1, 8, 0, 10),
      dropped: true,
    },
  ] as { title: string; reply: Reply; dropped: boolean; from?: string }[]
) {
  for (const way of ["", "force_tcp"]) {
    Deno.test(`ecs pass: a reply with ${title} ${way} is ${dropped ? "dropped" : "accepted"}`, () => {
      const one = world(() => reply, undefined, { forward: way });
      // After a dropped reply, the query is repeated without the subnet, as in unbound.
      assert.equal(ask(one, from).number, dropped ? 2 : 1);
      assert.deepEqual(one.asked.slice(1), dropped ? [null] : []);
      assert.equal(one.count("nodens_forward_wrong_subnets_total"), dropped ? 1 : 0);
    });
  }
}
