import assert from "node:assert/strict";
import {
  answered,
  askMany,
  askUntil,
  assertOver,
  bySpeed,
  mixed,
  startKinds,
} from "../../support/simulation/forwarding.ts";
import { decode, queryBytes } from "../../support/messages/messages.ts";
import type { Endpoint, StreamHandler } from "../../../src/engine/io.ts";
import { type Behaviour, Simulation } from "../../support/simulation/simulation.ts";
import * as kinds from "../../support/simulation/upstream_kinds.ts";

const { answering, refusing, serial, silent } = kinds;

/** TLS has a slow handshake and few connections. */
const TRANSPORTS = {
  TCP: { options: "force_tcp", tls: false, connectMs: 1 },
  TLS: { options: "max_conns 16", tls: true, connectMs: 40 },
} as const;

function startOver(
  transport: keyof typeof TRANSPORTS,
  behaviour: Behaviour,
  more = "",
): Simulation {
  const { options, tls, connectMs } = TRANSPORTS[transport];
  const simulation = startKinds(behaviour, `${options}\n${more}`, { tls });
  simulation.connectMs = connectMs;
  return simulation;
}

function resetsBeyond(most: number, inner: Behaviour): Behaviour {
  return (query, transport, arrival) =>
    arrival!.connections.indexOf(arrival!.connection) >= most
      ? "refuse"
      : inner(query, transport, arrival);
}

for (const transport of ["TCP", "TLS"] as const) {
  Deno.test(`forty names at once over ${transport} are answered by servers of every kind`, async (t) => {
    const table: [name: string, behaviour: Behaviour, most: number, lost?: number][] = [
      ["answers in order", serial(answering(100)), 500],
      ["in any order", answering(100), 500],
      ["serves four", kinds.atMost(4, serial(answering(20))), 2500],
      ["serves one", kinds.atMost(1, serial(answering(20))), 3000],
      ["resets beyond twenty", resetsBeyond(20, serial(answering(50))), 2000],
      ["slow to accept", kinds.slowAccept(500, serial(answering(20))), 1500],
      ["closes at the second", serial(kinds.closingAt(2, answering(100))), 700],
      ["closes at the third", serial(kinds.closingAt(3, answering(100))), 700],
      // Sixteen connections for one query each: detecting that takes too long.
      [
        "the first of a connection",
        kinds.firstOnly(answering(100)),
        3000,
        transport === "TLS" ? 5 : 0,
      ],
      [
        "the first two",
        kinds.firstOnly(serial(answering(100)), 2),
        3000,
        transport === "TLS" ? 8 : 0,
      ],
      ["closes behind each", kinds.closing(serial(answering(100))), 500],
    ];
    for (const [name, behaviour, most, lost = 0] of table) {
      await t.step(name, () => {
        const simulation = startOver(transport, behaviour);
        const asked = askMany(simulation, 40);
        simulation.run(6000);
        const times = answered(asked);
        assert.ok(times.length >= 40 - lost, `${times.length} of 40`);
        assert.ok(Math.max(...times) <= most, `${Math.max(...times)} ms`);
        assertOver(simulation, asked);
      });
    }
  });

  Deno.test(`slow names do not delay others over ${transport}, on servers of every kind`, async (t) => {
    const table: [name: string, behaviour: Behaviour, more?: string][] = [
      ["answers in order", serial(bySpeed)],
      ["in any order", bySpeed],
      ["serves twenty", kinds.atMost(20, serial(bySpeed))],
      ["serves four", kinds.atMost(4, serial(bySpeed))],
      ["the first of a connection", kinds.firstOnly(bySpeed)],
      ["closes behind each", kinds.closing(serial(bySpeed))],
      ["closes at the third", serial(kinds.closingAt(3, bySpeed))],
    ];
    if (transport === "TCP") table.push(["in order, on few", serial(bySpeed), "max_conns 4"]);
    for (const [name, behaviour, more] of table) {
      await t.step(name, () => {
        const simulation = startOver(transport, behaviour, more);
        const { fast, slow } = mixed(simulation, 1000);
        const times = answered(fast);
        assert.equal(times.length, fast.length);
        // Only detection costs time; all other queries are as fast as without slow names.
        const late = times.filter((ms) => ms > 150);
        assert.ok(late.length <= 6, `${late.length} of ${times.length} were late: ${late}`);
        assert.equal(answered(slow).length, slow.length);
        assertOver(simulation, [...fast, ...slow]);
      });
    }
  });
}

/** Simulated milliseconds at which servers change, and at which queries end. */
const CHANGE = { atMs: 6000, untilMs: 14_000 } as const;

Deno.test("a server may change its treatment of connections, in each direction", async (t) => {
  const ms = 30;
  const makers: Record<string, () => Behaviour> = {
    "in any order": () => answering(ms),
    "in order": () => serial(answering(ms)),
    "the first of a connection": () => kinds.firstOnly(answering(ms)),
    "closes behind each": () => kinds.closing(serial(answering(ms))),
    "serves four": () => kinds.atMost(4, serial(answering(ms))),
    "slow to accept": () => kinds.slowAccept(200, serial(answering(ms))),
  };
  for (const [before, makeBefore] of Object.entries(makers)) {
    for (const [after, makeAfter] of Object.entries(makers)) {
      if (before === after) continue;
      for (const transport of ["TCP", "TLS"] as const) {
        await t.step(`${before}, then ${after}, over ${transport}`, () => {
          const behaviour = kinds.changing(CHANGE.atMs, makeBefore(), makeAfter());
          const simulation = startOver(transport, behaviour);
          const asked = askUntil(simulation, CHANGE.untilMs, 20);
          simulation.run(6000);
          assert.equal(answered(asked).length, asked.length);
          // Detected: the last queries are as fast as the server allows.
          const last = answered(asked.filter(({ atMs }) => atMs > CHANGE.untilMs - 2000));
          const late = last.filter((tookMs) => tookMs > 400);
          assert.ok(late.length <= 0.05 * last.length, `${late}`);
          assertOver(simulation, asked);
        });
      }
    }
  }
});

Deno.test("while TCP is broken, truncated answers are passed on, afterwards complete ones", async (t) => {
  for (const [name, broken] of Object.entries({ refused: refusing, silent })) {
    await t.step(name, () => {
      const behaviour = kinds.changing(
        CHANGE.atMs,
        kinds.changing(3000, kinds.truncating(serial(answering())), kinds.truncating(broken)),
        kinds.truncating(serial(answering())),
      );
      const simulation = startKinds(behaviour);
      const asked = askUntil(simulation, 20_000, 100);
      simulation.run(6000);
      assert.equal(answered(asked).length, asked.length);
      const truncated = asked.filter(({ answers }) => (answers[0]!.bytes[2]! & 2) !== 0);
      assert.ok(truncated.length > 0);
      for (const { atMs } of truncated) assert.ok(atMs > 2900 && atMs < 17_000, `at ${atMs}`);
      assertOver(simulation, asked);
    });
  }
});

Deno.test("if a server accepts TCP but is silent, another server answers", () => {
  const simulation = startKinds([silent, serial(answering())], "force_tcp");
  const asked = askMany(simulation, 40, { forMs: 100 });
  simulation.run(6000);
  const times = answered(asked);
  assert.equal(times.length, 40);
  assert.ok(times.filter((tookMs) => tookMs > 100).length <= 6, `${times}`);
  simulation.upstream("10.0.0.1:53", answering());
  assertOver(simulation, asked);
});

/** Has room for four connections to upstreams. */
class Narrow extends Simulation {
  outgoing = 0;
  override connect(endpoint: Endpoint, handler: StreamHandler): number {
    if (this.outgoing >= 4) return -1;
    this.outgoing++;
    return super.connect(endpoint, {
      connected: () => handler.connected?.(),
      data: (memory, offset, length) => handler.data(memory, offset, length),
      ended: () => handler.ended(),
      closed: (why) => {
        this.outgoing--;
        handler.closed(why);
      },
    });
  }
  override close(stream: number): void {
    this.outgoing--;
    super.close(stream);
  }
}

Deno.test("an idle connection is closed for a query to another server", () => {
  const simulation = new Narrow(
    "a.test {\n forward . 10.0.0.1 {\n force_tcp\n }\n}\n" +
      "b.test {\n forward . 10.0.0.2 {\n force_tcp\n }\n}",
  );
  simulation.upstream("10.0.0.1:53", serial(answering(10)));
  simulation.upstream("10.0.0.2:53", serial(answering(10)));
  for (const zone of ["a.test", "b.test", "a.test"]) {
    const asked = Array.from(
      { length: 4 },
      (_, i) => simulation.ask(queryBytes({ name: `n${i}.${zone}` }), 0),
    );
    simulation.run(200);
    for (const one of asked) assert.equal(decode(one.answers[0]!.bytes).rcode, "NOERROR", zone);
  }
  assert.ok(simulation.outgoing <= 4);
});
