import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import * as codec from "dns-packet";
import { loadConfig } from "../../../src/loading/load.ts";
import type { Exchange } from "../../../src/engine/exchange/exchange.ts";
import { type CreateHandler, type EngineServices, WAIT } from "../../../src/engine/handler.ts";
import { HANDLERS } from "../../../src/plugins/handlers.ts";
import { fakeHost } from "../../support/doubles/fake_host.ts";
import { onlyAnswer, Simulation } from "../../support/simulation/simulation.ts";

/** What the handler below the cache saw of each query: the client subnet, in hexadecimal. */
let seen: string[] = [];
const SCOPE = 16;

/** Stands for a `forward` that passes subnets on: answers with how many queries it has seen. */
const fakeForward: CreateHandler = (options, { engine }) => ({
  name: "forward",
  query(exchange) {
    const parked = engine.park(exchange)!;
    const { memory, offset, ecsAt, ecsLength } = parked;
    const at = offset + ecsAt;
    seen.push(Buffer.from(memory.bytes.slice(at, at + ecsLength)).toString("hex"));
    const { pass } = options as { pass: boolean };
    engine.timers.set(engine.timers.create(() => answer(engine, parked, pass)), engine.nowMs + 1);
    return WAIT;
  },
});

function answer(engine: EngineServices, parked: Exchange, pass: boolean): void {
  const { writer } = engine;
  writer.begin(parked, 0).record("answer", null, 1, 1, 300).raw(
    Uint8Array.of(192, 0, 2, seen.length),
    0,
    4,
  );
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

/** Asks with the data of a client subnet option, or without one, and decodes what matters. */
function ask(simulation: Simulation, subnet: string | null) {
  const options = subnet === null ? [] : [{ code: 8, data: Buffer.from(subnet, "hex") }];
  const bytes = codec.encode({
    type: "query",
    id: 1,
    flags: codec.RECURSION_DESIRED,
    questions: [{ name: "www.example.org", type: "A", class: "IN" }],
    additionals: [{
      type: "OPT",
      name: ".",
      udpPayloadSize: 1232,
      flags: 0,
      extendedRcode: 0,
      ednsVersion: 0,
      flag_do: false,
      options,
    } as unknown as codec.Answer],
  });
  const asked = simulation.ask(new Uint8Array(bytes));
  simulation.run(5);
  const decoded = onlyAnswer(asked);
  const opt = decoded.additionals!.find(({ type }) => type === "OPT") as unknown as {
    options: { code: number; data: Uint8Array }[];
  };
  const echo = opt.options.find(({ code }) => code === 8);
  return {
    number: Number((decoded.answers![0] as { data: string }).data.split(".")[3]),
    echo: echo === undefined ? null : Buffer.from(echo.data).toString("hex"),
  };
}

const NET1 = "00011800c00002"; // 192.0.2.0/24
const NET2 = "00011800c63364"; // 198.51.100.0/24
const NET6 = "0002300020010db80001"; // 2001:db8:1::/48
const scoped = (subnet: string) => subnet.slice(0, 6) + "10" + subnet.slice(8);

Deno.test("client subnets are part of the key where forward passes them on", () => {
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

Deno.test("client subnets are nothing to the cache where no forward passes them on", () => {
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
  Deno.test(`a client subnet with ${title} is passed over`, () => {
    const simulation = start(true);
    assert.deepEqual(ask(simulation, subnet), { number: 1, echo: null });
    assert.deepEqual(ask(simulation, null), { number: 1, echo: null });
    assert.deepEqual(seen, [""]);
  });
}

Deno.test("a client subnet of length zero asks not to be told on, and is one", () => {
  const simulation = start(true);
  assert.deepEqual(ask(simulation, "00010000"), { number: 1, echo: "00010010" });
  assert.deepEqual(ask(simulation, null), { number: 2, echo: null });
});
