import assert from "node:assert/strict";
import { a, queryBytes, responseBytes } from "../../support/messages/messages.ts";
import { addressIn, forwarding } from "../../support/simulation/forwarding.ts";
import {
  type Behaviour,
  onlyAnswer,
  type Simulation,
} from "../../support/simulation/simulation.ts";
import { CLIENT_SUBNET, subnet, subnetIn } from "../../support/simulation/subnets.ts";

const SUBNETS = { one: subnet("192.0.2.0/24"), two: subnet("198.51.100.0/24") };

function world(options: string): { simulation: Simulation; subnets: (string | null)[] } {
  const subnets: (string | null)[] = [];
  const upstream: Behaviour = (query) => {
    const subnet = subnetIn(query);
    subnets.push(subnet === null ? null : subnet.subarray(4).join("."));
    const echoed = subnet === null ? [] : [{ code: CLIENT_SUBNET, data: Uint8Array.from(subnet) }];
    if (echoed.length > 0) echoed[0]!.data[3] = 20;
    return [{
      bytes: responseBytes(query, {
        answers: [a(query.questions![0]!.name, `192.0.2.${subnets.length}`)],
        options: echoed,
      }),
      delayMs: 20,
    }];
  };
  return {
    simulation: forwarding({ "10.0.0.1": upstream }, { before: "cache", options }),
    subnets,
  };
}

function send(simulation: Simulation, subnet: Uint8Array | null) {
  const ednsOptions = subnet === null ? [] : [{ code: CLIENT_SUBNET, data: subnet }];
  return simulation.ask(queryBytes({ name: "www.example.org", edns: 1232, ednsOptions }));
}

Deno.test("by default the client's subnet is not passed on and not part of the key", () => {
  const { simulation, subnets } = world("");
  const asked = [SUBNETS.one, SUBNETS.two, null].map((subnet) => send(simulation, subnet));
  simulation.run(100);
  assert.deepEqual(subnets, [null]);
  for (const one of asked) {
    assert.equal(addressIn(one), "192.0.2.1");
    assert.equal(subnetIn(onlyAnswer(one)), null);
  }
});

Deno.test("ecs pass: each subnet is asked for once, and cached separately", () => {
  const { simulation, subnets } = world("ecs pass");
  const first = [SUBNETS.one, SUBNETS.two, null, SUBNETS.one].map((one) => send(simulation, one));
  simulation.run(100);
  assert.deepEqual(subnets, ["192.0.2", "198.51.100", null]);
  const again = [SUBNETS.one, SUBNETS.two, null, SUBNETS.one].map((one) => send(simulation, one));
  simulation.run(100);
  assert.equal(subnets.length, 3);
  for (const asked of [first, again]) {
    assert.deepEqual(asked.map((one) => addressIn(one)), [
      "192.0.2.1",
      "192.0.2.2",
      "192.0.2.3",
      "192.0.2.1",
    ]);
    assert.deepEqual([...subnetIn(onlyAnswer(asked[0]!))!], [0, 1, 24, 20, 192, 0, 2]);
    assert.equal(subnetIn(onlyAnswer(asked[2]!)), null);
  }
});
