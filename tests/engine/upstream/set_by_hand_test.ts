import assert from "node:assert/strict";
import type { ServerDetails } from "../../../src/upstream/details.ts";
import { errorCodes } from "../../support/messages/messages.ts";
import {
  addressIn,
  ask,
  askMany,
  checksOf,
  deliver,
  forwarding,
  rcodes,
  sentFor,
  sentTo,
  serverCookie,
} from "../../support/simulation/forwarding.ts";
import { a, responseBytes } from "../../support/messages/messages.ts";
import {
  type Behaviour,
  onlyAnswer,
  type Simulation,
} from "../../support/simulation/simulation.ts";
import { answering, silent } from "../../support/simulation/upstream_kinds.ts";

const [A, B] = ["10.0.0.1", "10.0.0.2"] as const;
type Forced = Record<string, "up" | "down">;

const force = (simulation: Simulation, forced: Forced, addresses: readonly string[] = [A, B]) =>
  deliver(simulation, addresses, { forced });

function details(simulation: Simulation): ServerDetails[] {
  return simulation.engine.blocks.ask(0, 1, { type: "servers", from: 0 }) as ServerDetails[];
}

Deno.test("a server set to down gets no query, and checks show its state all the same", () => {
  let dead = false;
  const mortal: Behaviour = (...args) => dead ? [] : answering(1, "192.0.2.1")(...args);
  const simulation = forwarding({ [A]: mortal, [B]: answering(1, "192.0.2.2") });
  assert.equal(addressIn(ask(simulation, { name: "before.example.org", forMs: 10 })), "192.0.2.1");
  force(simulation, { [`${A}:53`]: "down" });
  const sent = sentTo(simulation, A);
  const asked = askMany(simulation, 200, { forMs: 100 });
  assert.deepEqual([...new Set(asked.map(addressIn))], ["192.0.2.2"]);
  assert.equal(sentTo(simulation, A), sent);
  assert.ok(checksOf(simulation, A) >= 3);
  assert.equal(details(simulation)[0]!.state, "up");
  dead = true;
  askMany(simulation, 200, { prefix: "m", forMs: 100 });
  assert.deepEqual(
    details(simulation).map(({ state, forced }) => [state, forced]),
    [["down", "down"], ["up", null]],
  );
  dead = false;
  simulation.run(15_000);
  assert.equal(details(simulation)[0]!.state, "up");
  assert.equal(sentTo(simulation, A), sent);
  force(simulation, {});
  assert.equal(addressIn(ask(simulation, { name: "after.example.org", forMs: 10 })), "192.0.2.1");
  const checks = checksOf(simulation, A);
  simulation.run(60_000);
  assert.equal(checksOf(simulation, A), checks);
});

Deno.test("a server set to down in the middle of a question is not asked again for it", () => {
  const simulation = forwarding({ [A]: silent }, { options: "read_timeout 300ms" });
  const asked = ask(simulation, { forMs: 100 });
  force(simulation, { [`${A}:53`]: "down" }, [A]);
  simulation.run(10_000);
  assert.equal(onlyAnswer(asked).rcode, "SERVFAIL");
  assert.equal(sentFor(simulation, "www.example.org"), 1);
});

Deno.test("if every server is set to down, queries get SERVFAIL and the log says why", () => {
  const simulation = forwarding({ [A]: answering(), [B]: answering() });
  force(simulation, { [`${A}:53`]: "down", [`${B}:53`]: "down" });
  const asked = ask(simulation, { edns: 1232, forMs: 10 });
  assert.equal(onlyAnswer(asked).rcode, "SERVFAIL");
  assert.deepEqual(errorCodes(onlyAnswer(asked)), [14]);
  assert.match(simulation.logs.join(), /every upstream is taken out of service \(nodens upstreams/);
  assert.equal(sentFor(simulation, "www"), 0);
});

Deno.test("a server set to up is asked first even if its checks fail", () => {
  const simulation = forwarding({ [A]: silent, [B]: answering(1, "192.0.2.2") });
  askMany(simulation, 30, { forMs: 200 });
  assert.equal(details(simulation)[0]!.state, "down");
  const sent = sentTo(simulation, A);
  force(simulation, { [`${A}:53`]: "up" });
  const asked = askMany(simulation, 5, { prefix: "m", forMs: 6000 });
  assert.deepEqual(rcodes(asked), ["NOERROR"]);
  assert.ok(sentTo(simulation, A) - sent >= 5);
  assert.deepEqual(details(simulation).map(({ state, forced }) => [state, forced]), [
    ["down", "up"],
    ["up", null],
  ]);
});

Deno.test("a server that leaves the list and returns is set as the list says", () => {
  const simulation = forwarding({ [A]: answering(1, "192.0.2.1"), [B]: answering(1, "192.0.2.2") });
  const forced: Forced = { [`${A}:53`]: "down" };
  force(simulation, forced);
  force(simulation, forced, [B]);
  force(simulation, forced, [A, B]);
  assert.equal(addressIn(ask(simulation, { forMs: 10 })), "192.0.2.2");
});

Deno.test("equal servers are one server from the start", () => {
  const simulation = forwarding({ [A]: answering() });
  deliver(simulation, [A, A]);
  assert.equal(details(simulation).length, 1);
});

Deno.test("details tell what was learnt of a server", () => {
  const cookies: Behaviour = (query) => {
    const { name } = query.questions![0]!;
    const options = serverCookie(query);
    return [{ bytes: responseBytes(query, { answers: [a(name, "192.0.2.7")], options }) }];
  };
  const simulation = forwarding({ [A]: cookies }, { options: "x20" });
  assert.deepEqual(details(simulation)[0]!.learnt, {
    edns: null,
    cookies: null,
    case: null,
    streams: null,
    connections: { open: 0, pipelines: false, singleUse: false, limit: null },
    looping: false,
  });
  askMany(simulation, 10, { forMs: 10 });
  const [{ learnt, counts, latency, lastFailure, stateMs }] = details(simulation) as [
    ServerDetails,
  ];
  assert.deepEqual([learnt.edns, learnt.cookies, learnt.case], ["options", "yes", "kept"]);
  assert.equal(counts.replies, 10);
  assert.equal(latency.reduce((sum, count) => sum + count, 0), 10);
  assert.equal(lastFailure, null);
  assert.equal(stateMs, 100);
});

Deno.test("details tell of connections, and of failures with their reasons", () => {
  const simulation = forwarding({ [A]: answering(5), [B]: silent }, {
    options: "force_tcp\nread_timeout 300ms",
  });
  askMany(simulation, 3, { forMs: 10 });
  assert.equal(details(simulation)[0]!.learnt.streams, true);
  simulation.upstream(`${A}:53`, silent);
  ask(simulation, { name: "lost.example.org", forMs: 10_000 });
  const [first, second] = details(simulation);
  assert.deepEqual([first!.learnt.streams, second!.learnt.streams], [false, false]);
  assert.ok(first!.counts.timeouts > 0 && first!.counts.failures >= first!.counts.timeouts);
  assert.match(first!.lastFailure!.why, /^(health check: )?i\/o timeout$/);
  assert.ok(first!.lastFailure!.agoMs < 10_000);
  assert.ok(first!.state !== "up" && first!.stateMs < 10_000);
});
