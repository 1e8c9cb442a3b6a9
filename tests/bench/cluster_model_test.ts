import assert from "node:assert/strict";
import { Agenda } from "../../bench/cluster/agenda.ts";
import { corefile } from "../../bench/cluster/behaviours.ts";
import { EngineNode, readCorefile } from "../../bench/cluster/engine_node.ts";
import { Measures } from "../../bench/cluster/measures.ts";
import { OUTCOME, type Outcome } from "../../bench/cluster/names.ts";
import { NodeCache } from "../../bench/cluster/node_cache.ts";
import { PARAMETERS } from "../../bench/cluster/parameters.ts";
import { Servers } from "../../bench/cluster/servers.ts";
import { Lookup, type NodeDns } from "../../bench/cluster/stub.ts";
import { type Target, Workloads, zipfDraw } from "../../bench/cluster/workload.ts";
import { seededRandom } from "../../bench/trace.ts";

const SECONDS = 600;

interface World {
  agenda: Agenda;
  measures: Measures;
  servers: Servers;
  workloads: Workloads;
  dns: NodeDns;
}

function makeWorld(kind: "node-cache" | "nodens", more: string[] = []): World {
  const agenda = new Agenda();
  const measures = new Measures({ seconds: SECONDS, steady: [0, SECONDS] });
  const servers = new Servers(agenda, { perSecond: 1e6, random: seededRandom(3), measures });
  const workloads = new Workloads({ nodes: 50, seed: 4 });
  const { book } = workloads;
  const dns = kind === "node-cache"
    ? new NodeCache(agenda, servers, seededRandom(5))
    : new EngineNode(agenda, {
      servers,
      book,
      config: readCorefile(corefile(more)),
      persists: true,
      random: seededRandom(5),
    });
  return { agenda, measures, servers, workloads, dns };
}

function sum(series: Float64Array): number {
  return series.reduce((total, value) => total + value, 0);
}

/** Sends queries one after the other, so that none are coalesced; returns the load by second. */
function askInTurn(kind: "node-cache" | "nodens") {
  const { agenda, measures, workloads, dns } = makeWorld(kind);
  const targets = workloads.podsOf(0).flatMap(({ targets }) => [...targets]);
  const draw = zipfDraw(targets.length, 1);
  const random = seededRandom(6);
  const outcomes: Outcome[] = [];
  // Not close to a multiple of a TTL: nodens counts in tenths of a second, the model does not.
  const everyMs = 900;
  for (let i = 0; i < 1000 * SECONDS / everyMs - 4; i++) {
    const { steps } = targets[draw(random())]!;
    const { a, aaaa } = steps[Math.floor(random() * steps.length)]!;
    const query = random() < 0.5 ? a : aaaa;
    agenda.at(everyMs * i, () => {
      const place = outcomes.push(OUTCOME.WAITS) - 1;
      const outcome = dns.ask(query, 0, (later) => outcomes[place] = later);
      if (outcome !== OUTCOME.WAITS) outcomes[place] = outcome;
    });
  }
  agenda.run(1000 * SECONDS);
  return { outcomes, cluster: measures.cluster, outside: measures.outside };
}

Deno.test("without coalescing, the model of node-cache sends the same queries as nodens", () => {
  const model = askInTurn("node-cache");
  const engine = askInTurn("nodens");
  assert.ok(!engine.outcomes.includes(OUTCOME.WAITS) && !engine.outcomes.includes(OUTCOME.FAILED));
  assert.deepEqual(model.outcomes, engine.outcomes);
  assert.ok(sum(engine.cluster) > 300 && sum(engine.outside) > 50);
  assert.deepEqual(model.cluster, engine.cluster);
  assert.deepEqual(model.outside.map(Math.sign), engine.outside.map(Math.sign));
});

Deno.test("nodens coalesces simultaneous queries, node-cache does not", () => {
  for (const [kind, expected] of [["node-cache", 20], ["nodens", 2]] as const) {
    const { agenda, measures, workloads, dns } = makeWorld(kind);
    const target = findTarget(workloads, (steps) => steps === 1);
    for (let client = 0; client < 10; client++) {
      new Lookup({ agenda, measures, dns, alive: () => true }, { target, client }).send();
    }
    agenda.run(1000);
    assert.equal(sum(measures.cluster), expected, kind);
    assert.equal(sum(measures.lookups), 10, kind);
    assert.equal(sum(measures.failed), 0, kind);
  }
});

Deno.test("an external name costs ten queries, six of them to the cluster DNS", () => {
  const { agenda, measures, workloads, dns } = makeWorld("node-cache");
  const target = findTarget(workloads, (steps) => steps === 5);
  assert.deepEqual(
    target.steps.map(({ a }) => a.outcome),
    [OUTCOME.NXDOMAIN, OUTCOME.NXDOMAIN, OUTCOME.NXDOMAIN, OUTCOME.NXDOMAIN, OUTCOME.ANSWER],
  );
  new Lookup({ agenda, measures, dns, alive: () => true }, { target, client: 0 }).send();
  agenda.run(1000);
  assert.equal(sum(measures.queries), 10);
  assert.equal(sum(measures.cluster), 6);
  assert.equal(sum(measures.cluster) + sum(measures.outside), 10);
});

Deno.test("during an outage lookups fail, unless a stale answer exists", () => {
  const stale = ["serve_stale 1h immediate"];
  const cases = [["node-cache", [], 1], ["nodens", [], 1], ["nodens", stale, 0]] as const;
  for (const [kind, more, failed] of cases) {
    const { agenda, measures, servers, workloads, dns } = makeWorld(kind, [...more]);
    const target = findTarget(workloads, (steps) => steps === 1);
    const lookUp = () =>
      new Lookup({ agenda, measures, dns, alive: () => true }, { target, client: 0 }).send();
    lookUp();
    agenda.at(60_000, () => {
      servers.down = true;
      lookUp();
    });
    agenda.run(120_000);
    assert.equal(sum(measures.lookups), 2, kind);
    assert.equal(sum(measures.failed), failed, `${kind} ${more}`);
    servers.down = false;
    agenda.run(130_000);
    lookUp();
    agenda.run(140_000);
    assert.equal(sum(measures.lookups), 3, kind);
    assert.equal(sum(measures.failed), failed, kind);
  }
});

Deno.test("after a restart a persisted cache answers at once, and node-cache asks again", () => {
  for (const [kind, expected] of [["node-cache", 4], ["nodens", 2]] as const) {
    const { agenda, measures, workloads, dns } = makeWorld(kind);
    const target = findTarget(workloads, (steps) => steps === 1);
    const lookUp = () =>
      new Lookup({ agenda, measures, dns, alive: () => true }, { target, client: 0 }).send();
    lookUp();
    agenda.run(1000);
    dns.stop();
    agenda.run(3000);
    dns.start(2000);
    lookUp();
    agenda.run(4000);
    assert.equal(sum(measures.cluster), expected, kind);
    assert.equal(sum(measures.lookups), 2, kind);
  }
});

Deno.test("after two silent attempts of five seconds the resolver tries the name as given", () => {
  const { agenda, measures, servers, workloads } = makeWorld("node-cache");
  servers.down = true;
  const dns: NodeDns = { ask: () => OUTCOME.WAITS, stop() {}, start() {} };
  const target = findTarget(workloads, (steps) => steps === 5);
  new Lookup({ agenda, measures, dns, alive: () => true }, { target, client: 0 }).send();
  agenda.run(SECONDS * 1000);
  assert.equal(sum(measures.failed), 1);
  assert.equal(sum(measures.queries), 2 * 2 * PARAMETERS.clientAttempts);
  assert.ok(Math.abs(measures.quantileMs(0.5, 0, SECONDS) - 20_000) < 2000);
});

/** A name of the workloads that takes `steps` steps; with five steps an external one. */
function findTarget(workloads: Workloads, wanted: (steps: number) => boolean): Target {
  for (let node = 0; node < 50; node++) {
    for (const { targets } of workloads.podsOf(node)) {
      const target = targets.find(({ steps }) =>
        wanted(steps.length) && (steps.length < 5 || !steps.at(-1)!.a.inCluster)
      );
      if (target !== undefined) return target;
    }
  }
  throw new Error("Cannot find such a name: no workload has one");
}
