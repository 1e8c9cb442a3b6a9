import assert from "node:assert/strict";
import type * as codec from "dns-packet";
import { a, queryBytes, responseBytes } from "../../support/messages/messages.ts";
import { type Behaviour, onlyAnswer, Simulation } from "../../support/simulation/simulation.ts";

/** Client subnet options (RFC 7871 section 6): family 1, source prefix 24, scope 0. */
const SUBNETS = {
  one: Uint8Array.of(0, 1, 24, 0, 192, 0, 2),
  two: Uint8Array.of(0, 1, 24, 0, 198, 51, 100),
};

function optionOf(message: codec.DecodedPacket, code: number): Uint8Array | null {
  const opt = message.additionals!.find(({ type }) => type === "OPT") as unknown as {
    options: { code: number; data: Uint8Array }[];
  } | undefined;
  return opt?.options.find((option) => option.code === code)?.data ?? null;
}

function world(options: string): { simulation: Simulation; subnets: (string | null)[] } {
  const subnets: (string | null)[] = [];
  const upstream: Behaviour = (query) => {
    const subnet = optionOf(query, 8);
    subnets.push(subnet === null ? null : subnet.subarray(4).join("."));
    const echoed = subnet === null ? [] : [{ code: 8, data: Uint8Array.from(subnet) }];
    // Good for a longer prefix than was asked for.
    if (echoed.length > 0) echoed[0]!.data[3] = 20;
    return [{
      bytes: responseBytes(query, {
        answers: [a(query.questions![0]!.name, `192.0.2.${subnets.length}`)],
        options: echoed,
      }),
      delayMs: 20,
    }];
  };
  const simulation = new Simulation(
    `. {\n cache\n forward . 10.0.0.1 {\n ${options}\n }\n}`,
  );
  simulation.upstream("10.0.0.1:53", upstream);
  return { simulation, subnets };
}

function send(simulation: Simulation, subnet: Uint8Array | null) {
  const ednsOptions = subnet === null ? [] : [{ code: 8, data: subnet }];
  return simulation.ask(queryBytes({ name: "www.example.org", edns: 1232, ednsOptions }));
}

const addressIn = (answer: ReturnType<typeof onlyAnswer>) =>
  (answer.answers![0] as { data: string }).data;

Deno.test("the client's subnet stays here, and is no part of the key", () => {
  const { simulation, subnets } = world("");
  const asked = [SUBNETS.one, SUBNETS.two, null].map((subnet) => send(simulation, subnet));
  simulation.run(100);
  assert.deepEqual(subnets, [null]);
  for (const one of asked) {
    assert.equal(addressIn(onlyAnswer(one)), "192.0.2.1");
    assert.equal(optionOf(onlyAnswer(one), 8), null);
  }
});

Deno.test("ecs pass: each subnet is asked for itself, once, and kept for itself", () => {
  const { simulation, subnets } = world("ecs pass");
  const first = [SUBNETS.one, SUBNETS.two, null, SUBNETS.one].map((one) => send(simulation, one));
  simulation.run(100);
  assert.deepEqual(subnets, ["192.0.2", "198.51.100", null]);
  const again = [SUBNETS.one, SUBNETS.two, null, SUBNETS.one].map((one) => send(simulation, one));
  simulation.run(100);
  assert.equal(subnets.length, 3);
  for (const asked of [first, again]) {
    assert.deepEqual(asked.map((one) => addressIn(onlyAnswer(one))), [
      "192.0.2.1",
      "192.0.2.2",
      "192.0.2.3",
      "192.0.2.1",
    ]);
    // The client hears of the scope; one that sent no subnet hears of none.
    assert.deepEqual([...optionOf(onlyAnswer(asked[0]!), 8)!], [0, 1, 24, 20, 192, 0, 2]);
    assert.equal(optionOf(onlyAnswer(asked[2]!), 8), null);
  }
});
