import assert from "node:assert/strict";
import type { ForwardOptions, UpstreamsUpdate } from "../../../src/plugins/forward/options.ts";
import { queryBytes, responseBytes } from "../../support/messages/messages.ts";
import { explainIn, lineOf, stepOf } from "../../support/engine/explained.ts";
import { answering, silent } from "../../support/simulation/cache_world.ts";
import { type Behaviour, Simulation } from "../../support/simulation/simulation.ts";

const ADDRESSES = ["10.0.0.1", "10.0.0.2", "10.0.0.3"];

function start(options: string, behaviours: readonly Behaviour[], wanted = ADDRESSES): Simulation {
  const simulation = new Simulation(
    `. {\nforward . ${wanted.join(" ")} {\n${options}\n}\n}`,
  );
  ADDRESSES.forEach((address, i) => simulation.upstream(`${address}:53`, behaviours[i]!));
  return simulation;
}

function askSome(simulation: Simulation, count = 12): void {
  for (let i = 0; i < count; i++) {
    simulation.ask(queryBytes({ name: `n${i}.example.org` }));
    simulation.run(300);
  }
}

const fast = answering({ delayMs: 1 });
const slow = answering({ delayMs: 40 });

for (
  const { name, options, behaviours = [fast, fast, fast], before = 12, line, notes = [] } of [
    {
      name: "the first one of policy sequential",
      options: "policy sequential",
      line: /^asks: 10\.0\.0\.1:53 \(up, 1 ms\)$/,
      notes: [
        /^not 10\.0\.0\.2:53: it is up \(.*\) and comes later$/,
        /\.3:53/,
        /^policy sequential$/,
      ],
    },
    {
      name: "every one of policy random",
      options: "policy random",
      line: /^asks: one of 10\.0\.0\.1:53 \(.*\), 10\.0\.0\.2:53 \(.*\), 10\.0\.0\.3:53 \(.*\)$/,
      notes: [/^policy random$/],
    },
    {
      name: "the near ones of policy fastest",
      options: "policy fastest",
      behaviours: [slow, fast, fast],
      before: 40,
      line: /^asks: one of 10\.0\.0\.2:53 .*10\.0\.0\.3:53/,
      notes: [/^not 10\.0\.0\.1:53: it is slower \(40 ms\)$/, /^policy fastest$/],
    },
    {
      name: "not a server that is down",
      options: "policy sequential",
      behaviours: [silent, fast, fast],
      line: /^asks: 10\.0\.0\.2:53 /,
      notes: [
        /^not 10\.0\.0\.1:53: it is down since \d+ m?s \(.*i\/o timeout\)$/,
        /10\.0\.0\.3:53/,
        /policy/,
      ],
    },
    {
      name: "one of those that are down, if all are",
      options: "",
      behaviours: [silent, silent, silent],
      before: 40,
      line: /^asks: one of 10\.0\.0\.1:53 \(down, .*, 10\.0\.0\.3:53 \(down/,
      notes: [/^all upstreams are down, and one is tried all the same$/, /^policy random$/],
    },
    {
      name: "a failure at once, if all are down and that is wanted",
      options: "failfast_all_unhealthy_upstreams",
      behaviours: [silent, silent, silent],
      before: 40,
      line: /^refuses: all upstreams are down \(failfast_all_unhealthy_upstreams\)$/,
    },
    {
      name: "the transport and further servers",
      options: "force_tcp\npolicy sequential\nhedge 20ms\nnext NXDOMAIN",
      before: 0,
      line: /over TCP \(force_tcp\)$/,
      notes: [
        /./,
        /./,
        /; after 20 ms a second one is asked \(hedge\)$/,
        /after NXDOMAIN \(next\)$/,
      ],
    },
  ] as {
    name: string;
    options: string;
    behaviours?: Behaviour[];
    before?: number;
    line: RegExp;
    notes?: RegExp[];
  }[]
) {
  Deno.test(`explain: forward tells ${name}`, () => {
    const simulation = start(options, behaviours);
    askSome(simulation, before);
    const reply = explainIn(simulation);
    assert.match(lineOf(reply, "forward"), line);
    const said = stepOf(reply, "forward").notes;
    assert.equal(said.length, notes.length, said.join("\n"));
    notes.forEach((note, i) => assert.match(said[i]!, note));
  });
}

Deno.test("explain: the server that forward tells of is the one that it asks", () => {
  for (const policy of ["sequential", "round_robin", "fastest", "random"]) {
    const simulation = start(`policy ${policy}`, [slow, fast, answering({ delayMs: 5 })]);
    for (let i = 0; i < 60; i++) {
      const { details } = stepOf(explainIn(simulation), "forward");
      const told = (details["upstreams"] as { to: string; first: boolean }[])
        .filter(({ first }) => first).map(({ to }) => to);
      const before = simulation.seen.length;
      simulation.ask(queryBytes({ name: `q${i}.example.org` }));
      const asked = simulation.seen.slice(before).find((seen) => seen.includes(`q${i}.`))!;
      assert.ok(told.some((to) => asked.includes(to)), `${policy}: ${asked}, told ${told.join()}`);
      simulation.run(200);
    }
  }
});

Deno.test("explain: forward tells of max_concurrent and of names that it does not take", () => {
  const full = start("max_concurrent 1", [silent, silent, silent]);
  full.ask(queryBytes({ name: "other.example.org" }));
  assert.match(lineOf(explainIn(full), "forward"), /^refuses: 1 .*\(max_concurrent 1\)$/);
  const except = start("except example.org", [fast, fast, fast]);
  const reply = explainIn(except);
  assert.match(lineOf(reply, "forward"), /^passes: the name is below except example\.org\.$/);
  assert.deepEqual(reply.refusal, {
    rcode: "SERVFAIL",
    reason: "no plugin of the server block answers it",
  });
});

Deno.test("explain: forward tells of a loop", () => {
  const simulation = new Simulation(". {\nloop\nforward . 10.0.0.1\n}");
  simulation.leadBack("10.0.0.1:53");
  simulation.run(5000);
  const reply = explainIn(simulation);
  assert.match(lineOf(reply, "loop"), /10\.0\.0\.1:53 leads back here$/);
  assert.match(lineOf(reply, "forward"), /^refuses: no upstream may be asked/);
  assert.deepEqual(stepOf(reply, "forward").notes, ["10.0.0.1:53 leads back here (loop)"]);
});

Deno.test("explain: forward tells of servers that an operator has taken out or put up", () => {
  const simulation = start("policy sequential", [silent, fast, fast]);
  askSome(simulation, 6);
  const forced = { "10.0.0.1:53": "up", "10.0.0.2:53": "down" } as const;
  simulation.engine.blocks.deliver(0, 0, { ...updateOf(simulation), forced });
  const reply = explainIn(simulation);
  assert.match(lineOf(reply, "forward"), /^asks: 10\.0\.0\.1:53 \(.*, put up by hand\)$/);
  assert.equal(stepOf(reply, "forward").notes[0], "not 10.0.0.2:53: it is taken out by hand");
});

Deno.test("explain: of many servers, forward names some", () => {
  const simulation = start("policy sequential", [fast, fast, fast]);
  const { upstreams: [one], ...rest } = updateOf(simulation);
  const upstreams = Array.from({ length: 40 }, (_, i) => ({ ...one!, address: `10.0.1.${i}` }));
  simulation.engine.blocks.deliver(0, 0, { ...rest, upstreams });
  const { notes, details } = stepOf(explainIn(simulation), "forward");
  assert.deepEqual([notes.length, notes[16]], [18, "23 more"]);
  assert.equal((details["upstreams"] as unknown[]).length, 16);
});

function updateOf(simulation: Simulation): UpstreamsUpdate {
  const { options } = simulation.config.blocks[0]!.plugins[0]!;
  const { upstreams, readTimeoutMs, maxConnectAttempts, policy } = options as ForwardOptions;
  return { upstreams, readTimeoutMs, maxConnectAttempts, policy };
}

Deno.test("explain: a name in flight is not asked for again", () => {
  const simulation = start("", [
    (query) => [{ bytes: responseBytes(query, {}), delayMs: 90 }],
    slow,
    slow,
  ], ["10.0.0.1"]);
  simulation.ask(queryBytes({ name: "www.example.org" }));
  simulation.run(30);
  const line = lineOf(explainIn(simulation), "forward");
  assert.equal(line, "asks: nobody: the same question is in flight since 30 ms (1 waiting)");
});
