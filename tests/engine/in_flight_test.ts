import assert from "node:assert/strict";
import fc from "fast-check";
import { type Address, parseAddress } from "../../src/dns/address.ts";
import { Exchange } from "../../src/engine/exchange/exchange.ts";
import { INTERNAL } from "../../src/engine/exchange/origin.ts";
import type { EngineServices } from "../../src/engine/handler.ts";
import { Memory } from "../../src/engine/memory.ts";
import { IN_FLIGHT, InFlight, PendingQuestion } from "../../src/engine/in_flight.ts";

/** A question identified by the exchange's `id`. */
class Question extends PendingQuestion {
  asked = 0;

  constructor(readonly id: number) {
    super();
  }

  override asksFor(exchange: Exchange): boolean {
    this.asked++;
    return exchange.id === this.id;
  }
}

class Rig {
  readonly values = new Float64Array(8);
  readonly reasons: string[] = [];
  /** Addresses of the client and of the queried socket. */
  ends = { client: "192.0.2.99", local: "192.0.2.1" };
  places = Infinity;
  readonly table: InFlight<Question>;
  readonly questions: Question[] = [];

  constructor() {
    const engine = {
      values: this.values,
      counter: (_name: string, { reason }: Record<string, string>) =>
        this.reasons.push(reason!) - 1,
      clientAddress: (_: Exchange, target: Address) => fill(target, this.ends.client),
      localAddress: (_: Exchange, target: Address) => fill(target, this.ends.local),
      clientBucket: ({ client }: Exchange) => client,
      park: (exchange: Exchange) => this.places-- > 0 ? exchange : null,
    };
    this.table = new InFlight(engine as unknown as EngineServices, "forward");
  }

  /** Asks as a handler does: "joined", "begun", or the reason of the refusal. */
  ask(id: number, { hash = id, client = 0, internal = false } = {}): string {
    const exchange = makeExchange(id, client, internal);
    const known = this.table.find(exchange, hash);
    if (known !== null) return this.table.join(known, exchange) ? "joined" : this.table.refusal;
    const question = new Question(id);
    if (this.table.begin(question, exchange, hash) === null) return this.table.refusal;
    this.questions.push(question);
    return "begun";
  }

  end(id: number): number[] {
    const at = this.questions.findIndex((question) => question.id === id);
    const [question] = this.questions.splice(at, 1);
    const clients: number[] = [];
    for (let x = this.table.end(question!); x !== null; x = x.nextWaiter) clients.push(x.client);
    return clients;
  }

  get refused(): Record<string, number> {
    return Object.fromEntries(
      this.reasons.flatMap((reason, i) => this.values[i]! > 0 ? [[reason, this.values[i]!]] : []),
    );
  }
}

function fill(target: Address, text: string): void {
  const bytes = parseAddress(text)!;
  target.family = bytes.length === 4 ? 4 : 6;
  target.bytes.set(bytes);
}

function makeExchange(id: number, client: number, internal = false): Exchange {
  const exchange = new Exchange(new Memory(0));
  exchange.id = id;
  exchange.client = client;
  exchange.origin = internal ? INTERNAL : { kind: "slot", id: 0 };
  return exchange;
}

Deno.test("in flight: the number of questions is bounded", () => {
  const rig = new Rig();
  for (let id = 0; id < IN_FLIGHT.questions; id++) assert.equal(rig.ask(id), "begun");
  assert.equal(rig.ask(-1), "too many questions are in flight");
  assert.equal(rig.table.size, IN_FLIGHT.questions);
  assert.deepEqual(rig.refused, { questions: 1 });
  assert.equal(rig.ask(5), "joined");
  rig.end(5);
  assert.equal(rig.ask(-1), "begun");
});

Deno.test("in flight: equal hashes are refused beyond the chain's bound, and searches are short", () => {
  const rig = new Rig();
  const said = Array.from({ length: 1000 }, (_, id) => rig.ask(id, { hash: 42, client: id % 50 }));
  assert.deepEqual(
    said,
    [...Array(IN_FLIGHT.chain).fill("begun"), ...Array(1000 - IN_FLIGHT.chain).fill(said.at(-1))],
  );
  assert.equal(said.at(-1), "too many questions in flight fall into one hash bucket");
  assert.deepEqual(rig.refused, { chain: 1000 - IN_FLIGHT.chain });
  const compared = rig.questions.reduce((sum, { asked }) => sum + asked, 0);
  assert.ok(compared <= 1000 * IN_FLIGHT.chain, `${compared} comparisons`);
  // A known question is joined, whatever the length of its chain.
  assert.equal(rig.ask(3, { hash: 42 }), "joined");
  rig.end(3);
  assert.equal(rig.ask(1000, { hash: 42 }), "begun");
});

Deno.test("in flight: a client's waits for one question are bounded", () => {
  const rig = new Rig();
  const most = IN_FLIGHT.waitsPerClient;
  rig.ask(1, { client: 7 });
  const said = Array.from({ length: 200 }, () => rig.ask(1, { client: 7 }));
  assert.equal(said.filter((one) => one === "joined").length, most - 1);
  assert.equal(said.at(-1), "the client waits for this question too often already");
  assert.deepEqual(rig.refused, { client: 200 - (most - 1) });
  // Other clients, other questions and internal queries are not affected.
  assert.equal(rig.ask(1, { client: 8 }), "joined");
  assert.equal(rig.ask(2, { client: 7 }), "begun");
  assert.equal(rig.ask(1, { client: 7, internal: true }), "joined");
  assert.equal(rig.end(1).filter((client) => client === 7).length, most + 1);
  assert.equal(rig.ask(1, { client: 9 }), "begun");
  for (let i = 1; i < most; i++) assert.equal(rig.ask(1, { client: 9 }), "joined");
  for (let i = 0; i < most; i++) assert.equal(rig.ask(1, { client: 7 }), "joined");
  for (const client of [7, 9]) assert.notEqual(rig.ask(1, { client }), "joined");
});

const ENDS: [client: string, local: string, bounded: boolean, why: string][] = [
  ["127.0.0.1", "127.0.0.1", false, "a program of this host"],
  ["127.0.0.1", "127.0.0.53", false, "another loopback address"],
  ["::1", "::1", false, "the same over IPv6"],
  ["10.96.0.10", "10.96.0.10", false, "an address of the node"],
  ["fd00::10", "fd00::10", false, "the same over IPv6"],
  ["192.0.2.5", "127.0.0.1", false, "a redirected program"],
  ["192.0.2.5", "192.0.2.1", true, "a machine of the network"],
  ["128.0.0.1", "192.0.2.1", true, "not a loopback address"],
  ["::2", "2001:db8::1", true, "not a loopback address"],
  ["2001:db8::2", "2001:db8::1", true, "only the same network"],
];

for (const [client, local, bounded, why] of ENDS) {
  const title = bounded ? "has bounded waits" : "waits without bound";
  Deno.test(`in flight: ${client} at ${local} (${why}) ${title}`, () => {
    const rig = new Rig();
    rig.ends = { client, local };
    const said = Array.from({ length: 600 }, () => rig.ask(1, { client: 7 }));
    const refused = said.filter((one) => one !== "joined" && one !== "begun").length;
    assert.equal(refused, bounded ? 600 - IN_FLIGHT.waitsPerClient : 0);
    // Another client in the same bucket is bounded.
    rig.ends = { client: "192.0.2.99", local: "192.0.2.1" };
    assert.notEqual(rig.ask(1, { client: 7 }), "joined");
    assert.equal(rig.ask(1, { client: 8 }), "joined");
  });
}

Deno.test("in flight: internal queries do not use up the client's waits", () => {
  const rig = new Rig();
  rig.ask(1, { client: 7, internal: true });
  const most = IN_FLIGHT.waitsPerClient;
  for (let i = 0; i < most; i++) assert.equal(rig.ask(1, { client: 7 }), "joined");
  assert.notEqual(rig.ask(1, { client: 7 }), "joined");
});

Deno.test("in flight: the waiters of a question are bounded", () => {
  const rig = new Rig();
  for (let i = 0; i < IN_FLIGHT.waiters; i++) rig.ask(1, { client: i & 1023 });
  assert.equal(rig.ask(1, { client: 5 }), "too many queries wait for this question");
  assert.deepEqual(rig.refused, { waiters: 1 });
  assert.equal(rig.end(1).length, IN_FLIGHT.waiters);
});

Deno.test("in flight: nothing is added if no exchange can be parked", () => {
  const rig = new Rig();
  rig.places = 1;
  assert.equal(rig.ask(1), "begun");
  assert.equal(rig.ask(1), "too many queries are waiting");
  assert.equal(rig.ask(2), "too many queries are waiting");
  assert.equal(rig.table.size, 1);
  assert.equal(rig.end(1).length, 1);
  assert.deepEqual(rig.refused, {});
});

Deno.test("in flight: the table agrees with a plain list of questions and waiters", () => {
  const step = fc.record({
    end: fc.nat(199).map((one) => one === 77),
    // Two questions are asked often enough for a client to reach its bound.
    id: fc.nat(60).map((id) => id < 40 ? id & 1 : id),
    client: fc.nat(1),
    internal: fc.boolean(),
  });
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 800, size: "max" }),
      fc.integer({ min: 1, max: 40 }),
      (steps, n) => {
        const rig = new Rig();
        const model = new Map<number, { client: number; internal: boolean }[]>();
        for (const { end, id, client, internal } of steps) {
          const waiters = model.get(id);
          if (end) {
            if (waiters === undefined) continue;
            model.delete(id);
            const clients = waiters.map((one) => one.client).sort();
            assert.deepEqual(rig.end(id).sort(), clients);
            continue;
          }
          const said = rig.ask(id, { hash: id % n, client, internal });
          if (waiters !== undefined) {
            const own = waiters.filter((one) => !one.internal && one.client === client).length;
            const full = !internal && own >= IN_FLIGHT.waitsPerClient;
            assert.equal(said === "joined", !full);
            if (!full) waiters.push({ client, internal });
          } else {
            const chain = [...model.keys()].filter((other) => other % n === id % n).length;
            assert.equal(said === "begun", chain < IN_FLIGHT.chain);
            if (said === "begun") model.set(id, [{ client, internal }]);
          }
          assert.equal(rig.table.size, model.size);
        }
      },
    ),
    // Shrinking hundreds of steps takes minutes; the printed seed replays a failure.
    { numRuns: 60, endOnFailure: true },
  );
});
