import assert from "node:assert/strict";
import * as codec from "dns-packet";
import { queryBytes } from "../../support/messages/messages.ts";
import {
  answering,
  CacheWorld,
  dataOf,
  NAME,
  replying,
} from "../../support/simulation/cache_world.ts";
import { type Behaviour, frame } from "../../support/simulation/simulation.ts";

const CLIENT = { waitMs: 100, client: "192.0.2.1" };
const ATTACKER = { waitMs: 100, client: "198.51.100.7" };
const RD = codec.RECURSION_DESIRED;
const Z = 0x40;

const OLD = answering({ data: "192.0.2.7", ttl: 20 });
const NEW = answering({ data: "192.0.2.8", ttl: 20 });

/** Refuses queries without RD, like most resolvers. */
const resolving = (answers: Behaviour): Behaviour => (query, ...rest) =>
  (query.flag_rd ? answers : replying({ rcode: 5 }))(query, ...rest);

for (
  const options of [
    "serve_stale",
    "serve_stale 1h immediate 30s 10s",
    "serve_stale 1h verify",
    "serve_stale 1h verify 0 30s 10s",
    "serve_stale 1h verify 200ms",
    "serve_stale 1h verify 200ms 30s 10s",
  ]
) {
  for (const flags of [0, Z, codec.AUTHENTIC_DATA]) {
    Deno.test(`${options}: queries with the flags ${flags} do not prevent a refresh`, () => {
      const world = new CacheWorld(resolving(OLD), options);
      world.ask({}, CLIENT);
      world.run(25_000);
      world.behaviour = resolving(NEW);
      for (let i = 0; i < 5; i++) {
        assert.notEqual(dataOf(world.ask({ flags }, ATTACKER)), "REFUSED");
      }
      world.ask({}, CLIENT);
      assert.equal(dataOf(world.ask({}, CLIENT)), "192.0.2.8");
    });
  }
}

Deno.test("a query without RD starts the refresh of a popular name with RD", () => {
  const world = new CacheWorld(resolving(OLD), "prefetch 1 1m 50%");
  world.ask({}, CLIENT);
  world.run(12_000);
  world.behaviour = resolving(NEW);
  world.ask({ flags: 0 }, ATTACKER);
  assert.equal(dataOf(world.ask({}, CLIENT)), "192.0.2.8");
  assert.equal(world.upstreamQueries, 2);
});

for (
  const { title, asked } of [
    { title: "no flag", asked: { flags: 0 } },
    { title: "every flag outside the key", asked: { flags: RD | Z | 0x20 } },
    { title: "CD", asked: { flags: 0x10 } },
    { title: "DO and a small buffer", asked: { flags: 0, edns: 512, dnssecOk: true } },
  ] as { title: string; asked: { flags: number; edns?: number; dnssecOk?: boolean } }[]
) {
  Deno.test(`a refresh has the cache's own flags if the client sends ${title}`, () => {
    const seen: { flags: number; dnssecOk: boolean }[] = [];
    const world = new CacheWorld((query, ...rest) => {
      const opt = query.additionals![0] as unknown as { flag_do: boolean } | undefined;
      seen.push({ flags: query.flags! & 0x170, dnssecOk: opt?.flag_do ?? false });
      return resolving(OLD)(query, ...rest);
    }, "serve_stale");
    const key = { dnssecOk: asked.dnssecOk ?? false, ...asked.edns && { edns: asked.edns } };
    world.ask({ ...key, flags: RD | (asked.flags & 0x10) }, CLIENT);
    world.run(25_000);
    world.ask(asked, ATTACKER);
    // AD requests the resolver's AD; CD and DO are those of the entry.
    const flags = RD | 0x20 | (asked.flags & 0x10);
    assert.deepEqual(seen.at(-1), { flags, dnssecOk: key.dnssecOk });
    assert.equal(seen.length, 2);
  });
}

Deno.test("a client over TCP stores no failure if upstreams support only UDP", () => {
  const world = new CacheWorld((query, transport) =>
    transport === "tcp" ? "refuse" : OLD(query, transport)
  );
  const stream = world.simulation.openStream();
  stream.send(frame(queryBytes({ name: NAME })));
  world.run(100);
  assert.equal(stream.received.length, 1);
  assert.equal(dataOf(world.ask({}, CLIENT)), "192.0.2.7");
});
