import assert from "node:assert/strict";
import * as codec from "dns-packet";
import { a, type Decoded, queryBytes, responseBytes } from "../../support/messages/messages.ts";
import { frame, onlyAnswer, Simulation } from "../../support/simulation/simulation.ts";

const NAME = "www.example.org";
const CLIENT = "192.0.2.1";
const ATTACKER = "198.51.100.7";
const RD = codec.RECURSION_DESIRED;
/** A bit of the header that nothing uses. */
const Z = 0x40;

/** A cache over a resolver that refuses queries without RD, as most do. */
class World {
  readonly simulation: Simulation;
  /** What the name has at the moment. */
  data = "192.0.2.7";
  /** RD, Z, AD and CD of each query that the resolver saw, and whether it had DO. */
  readonly seen: { flags: number; dnssecOk: boolean }[] = [];

  constructor(options: string) {
    this.simulation = new Simulation(`. {\n cache {\n ${options}\n }\n forward . 10.0.0.1\n}`);
    this.simulation.upstream("10.0.0.1:53", (query) => {
      const opt = query.additionals![0] as unknown as { flag_do: boolean } | undefined;
      this.seen.push({ flags: query.flags! & 0x170, dnssecOk: opt?.flag_do ?? false });
      return [{
        bytes: query.flag_rd
          ? responseBytes(query, { answers: [a(query.questions![0]!.name, this.data, 20)] })
          : responseBytes(query, { rcode: 5 }),
      }];
    });
  }

  /** Asks for the name and waits a moment; returns what the client got. */
  ask(
    client: string,
    options: { flags?: number; edns?: number; dnssecOk?: boolean } = {},
  ): Decoded {
    const asked = this.simulation.ask(queryBytes({ name: NAME, ...options }), 0, client);
    this.simulation.run(100);
    return onlyAnswer(asked);
  }
}

function dataOf(answer: Decoded): string {
  return (answer.answers?.[0] as { data: string } | undefined)?.data ?? answer.rcode;
}

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
    Deno.test(`${options}: a header of ${flags} does not freeze a stale name`, () => {
      const world = new World(options);
      world.ask(CLIENT);
      world.simulation.run(25_000);
      world.data = "192.0.2.8";
      for (let i = 0; i < 5; i++) {
        assert.notEqual(dataOf(world.ask(ATTACKER, { flags })), "REFUSED");
      }
      world.ask(CLIENT);
      assert.equal(dataOf(world.ask(CLIENT)), "192.0.2.8");
    });
  }
}

Deno.test("a query without RD does not use up the prefetch of a popular name", () => {
  const world = new World("prefetch 1 1m 50%");
  world.ask(CLIENT);
  world.simulation.run(12_000);
  world.data = "192.0.2.8";
  world.ask(ATTACKER, { flags: 0 });
  assert.equal(dataOf(world.ask(CLIENT)), "192.0.2.8");
  assert.equal(world.seen.length, 2);
});

for (
  const { title, asked } of [
    { title: "no bit at all", asked: { flags: 0 } },
    { title: "every bit that is not part of the key", asked: { flags: RD | Z | 0x20 } },
    { title: "CD", asked: { flags: 0x10 } },
    { title: "DO and a small buffer", asked: { flags: 0, edns: 512, dnssecOk: true } },
  ]
) {
  Deno.test(`a refresh asks what the cache needs, whatever the client sent: ${title}`, () => {
    const world = new World("serve_stale");
    const key = { dnssecOk: asked.dnssecOk ?? false, ...asked.edns && { edns: asked.edns } };
    world.ask(CLIENT, { ...key, flags: RD | (asked.flags & 0x10) });
    world.simulation.run(25_000);
    world.ask(ATTACKER, asked);
    // RD for an answer, AD so that the answer has that of the resolver, CD and DO of the entry.
    const flags = RD | 0x20 | (asked.flags & 0x10);
    assert.deepEqual(world.seen.at(-1), { flags, dnssecOk: key.dnssecOk });
    assert.equal(world.seen.length, 2);
  });
}

Deno.test("a client over TCP makes no name fail where upstreams have UDP alone", () => {
  const simulation = new Simulation(". {\n cache\n forward . 10.0.0.1\n}");
  simulation.upstream("10.0.0.1:53", (query, transport) =>
    transport === "tcp" ? "refuse" : [{
      bytes: responseBytes(query, { answers: [a(NAME, "192.0.2.7", 20)] }),
    }]);
  const stream = simulation.openStream();
  stream.send(frame(queryBytes({ name: NAME })));
  simulation.run(100);
  assert.equal(stream.received.length, 1);
  const asked = simulation.ask(queryBytes({ name: NAME }), 0, CLIENT);
  simulation.run(100);
  assert.equal(dataOf(onlyAnswer(asked)), "192.0.2.7");
});
