import assert from "node:assert/strict";
import { loadConfig } from "../../../src/loading/load.ts";
import type { Exchange } from "../../../src/engine/exchange/exchange.ts";
import { type CreateHandler, type EngineServices, WAIT } from "../../../src/engine/handler.ts";
import { HANDLERS } from "../../support/engine/all_plugins.ts";
import { fakeHost } from "../../support/doubles/fake_host.ts";
import { queryBytes } from "../../support/messages/messages.ts";
import { dataOf, NAME } from "../../support/simulation/cache_world.ts";
import { onlyAnswer, Simulation } from "../../support/simulation/simulation.ts";
import { CLIENT_SUBNET, subnetIn } from "../../support/simulation/subnets.ts";

let seen: string[] = [];
const SCOPE = 16;

/** Replaces `forward`: answers with the number of queries so far. */
const fakeForward: CreateHandler = (options, { engine }) => ({
  name: "forward",
  query(exchange) {
    const parked = engine.park(exchange)!;
    const { memory, offset, ecsAt, ecsLength } = parked;
    const at = offset + ecsAt;
    seen.push(memory.bytes.slice(at, at + ecsLength).toHex());
    const { pass } = options as { pass: boolean };
    engine.timers.set(engine.timers.create(() => answer(engine, parked, pass)), engine.nowMs + 1);
    return WAIT;
  },
});

function answer(engine: EngineServices, parked: Exchange, pass: boolean): void {
  const { writer } = engine;
  const address = Uint8Array.of(192, 0, 2, seen.length);
  writer.begin(parked, 0).record("answer", null, 1, 1, 300).raw(address, 0, 4);
  parked.response = writer.end();
  if (pass && parked.ecsLength > 0) parked.response.ecsScope = SCOPE;
  engine.resume(parked);
}

function start(pass: boolean): Simulation {
  const text = ". {\n cache\n forward . 10.0.0.1\n}";
  const simulation = new Simulation(text, {
    handlers: new Map([...HANDLERS, ["forward", fakeForward]]),
  });
  const { config } = loadConfig({ file: "Corefile", text, defaultPort: 53 }, fakeHost());
  config.blocks[0]!.plugins[1]!.options = { ecsPass: pass, pass };
  simulation.engine.configure(config);
  seen = [];
  return simulation;
}

/** Sends the data of a client subnet option, in hexadecimal, or no option. */
function ask(simulation: Simulation, subnet: string | null) {
  const ednsOptions = subnet === null
    ? []
    : [{ code: CLIENT_SUBNET, data: Uint8Array.fromHex(subnet) }];
  const asked = simulation.ask(queryBytes({ name: NAME, edns: 1232, ednsOptions }));
  simulation.run(5);
  const answer = onlyAnswer(asked);
  return {
    number: Number(dataOf(answer).split(".")[3]),
    echo: subnetIn(answer)?.toHex() ?? null,
  };
}

const NET1 = "00011800c00002"; // 192.0.2.0/24
const NET2 = "00011800c63364"; // 198.51.100.0/24
const NET6 = "0002300020010db80001"; // 2001:db8:1::/48
const scoped = (subnet: string) => subnet.slice(0, 6) + "10" + subnet.slice(8);

Deno.test("client subnets are part of the key if forward passes them on", () => {
  const simulation = start(true);
  for (const [subnet, number] of [[NET1, 1], [NET2, 2], [NET6, 3]] as const) {
    for (let i = 0; i < 2; i++) {
      assert.deepEqual(ask(simulation, subnet), { number, echo: scoped(subnet) });
    }
  }
  assert.deepEqual(ask(simulation, null), { number: 4, echo: null });
  assert.deepEqual(ask(simulation, null), { number: 4, echo: null });
  assert.deepEqual(ask(simulation, NET1), { number: 1, echo: scoped(NET1) });
  assert.deepEqual(seen, [NET1, NET2, NET6, ""]);
});

Deno.test("the cache ignores client subnets that no forward passes on", () => {
  const simulation = start(false);
  for (const subnet of [NET1, NET2, null]) {
    assert.deepEqual(ask(simulation, subnet), { number: 1, echo: null });
  }
});

for (
  const { title, subnet } of [
    { title: "an unknown family", subnet: "00031800c00002" },
    { title: "a prefix longer than the address", subnet: "00012100c000020101" },
    { title: "a scope in a query", subnet: "00011808c00002" },
    { title: "too few octets", subnet: "00011800c000" },
    { title: "too many octets", subnet: "00011800c0000201" },
    { title: "bits beyond the prefix", subnet: "00011700c00003" },
    { title: "half an option", subnet: "0001" },
  ]
) {
  Deno.test(`a client subnet with ${title} is ignored`, () => {
    const simulation = start(true);
    assert.deepEqual(ask(simulation, subnet), { number: 1, echo: null });
    assert.deepEqual(ask(simulation, null), { number: 1, echo: null });
    assert.deepEqual(seen, [""]);
  });
}

Deno.test("a client subnet of length zero is a separate subnet", () => {
  const simulation = start(true);
  assert.deepEqual(ask(simulation, "00010000"), { number: 1, echo: "00010010" });
  assert.deepEqual(ask(simulation, null), { number: 2, echo: null });
});
