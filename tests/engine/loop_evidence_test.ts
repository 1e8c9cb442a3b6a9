import assert from "node:assert/strict";
import { LOOP_MARK_SIZE } from "../../src/dns/constants.ts";
import {
  a,
  decode,
  errorCodes,
  optionsOf,
  queryBytes,
  responseBytes,
  soa,
} from "../support/messages/messages.ts";
import { type Behaviour, onlyAnswer, Simulation } from "../support/simulation/simulation.ts";

const FIRST = "10.0.0.1:53";
const SECOND = "10.0.0.2:53";
const MARK = 65313;
const MINUTES_10 = 600_000;

const good: Behaviour = (query) => {
  const { name, type } = query.questions![0]!;
  const bytes = type === "A"
    ? responseBytes(query, { answers: [a(name, "192.0.2.7")] })
    : responseBytes(query, { rcode: 3, authorities: [soa("example.org")] });
  return [{ bytes, delayMs: 5 }];
};

interface Probe {
  name: string;
  mark: Uint8Array | null;
}

/** Makes upstreams good servers; returns the probes that they get. */
function record(
  simulation: Simulation,
  upstreams = [FIRST],
  onProbe: (probe: Probe) => void = () => {},
): Probe[] {
  const probes: Probe[] = [];
  for (const to of upstreams) {
    simulation.upstream(to, (query, transport) => {
      const { name, type } = query.questions![0]!;
      const mark = optionsOf(query).find(({ code }) => code === MARK)?.data ?? null;
      if (type === "HINFO") {
        probes.push({ name, mark });
        onProbe({ name, mark });
      }
      return good(query, transport);
    });
  }
  return probes;
}

/** Sends a probe back as a client's query. */
function replay(simulation: Simulation, { name, mark }: Probe): void {
  const ednsOptions = mark === null ? [] : [{ code: MARK, data: mark }];
  const asked = simulation.ask(queryBytes({ name, type: "HINFO", edns: 1232, ednsOptions }));
  simulation.run(0);
  assert.ok(asked.answers.length <= 1);
}

function start(to: string, options = "", rest = ""): Simulation {
  return new Simulation(`. {\nloop\nforward . ${to} {\n${options}\n}\n}\n${rest}`);
}

const found = (simulation: Simulation) => simulation.count("nodens_loop_detected_total");

let number = 0;
function ask(simulation: Simulation, listener = 0): string {
  const name = `n${number++}.example.org`;
  const asked = simulation.ask(queryBytes({ name, edns: 1232 }), listener);
  simulation.run(100);
  return onlyAnswer(asked).rcode;
}

const without = {
  options: (bytes: Uint8Array) => rebuilt(bytes, { edns: 1232 }),
  edns: (bytes: Uint8Array) => rebuilt(bytes, {}),
};

function rebuilt(bytes: Uint8Array, edns: { edns?: number }): Uint8Array {
  const { id, questions } = decode(bytes);
  const [{ name, type }] = questions as [{ name: string; type: string }];
  return queryBytes({ name, type, id: id!, ...edns });
}

Deno.test("each probe has a unique mark", () => {
  const simulation = start("10.0.0.1");
  const probes = record(simulation);
  simulation.run(12 * 375_000);
  assert.ok(probes.length >= 9);
  const marks = new Set(probes.map(({ mark }) => mark!.join()));
  assert.equal(marks.size, probes.length);
  assert.ok(probes.every(({ mark }) => mark!.length === LOOP_MARK_SIZE));
});

Deno.test("each upstream gets separate probes", () => {
  const simulation = start("10.0.0.1 10.0.0.2", "policy sequential");
  const probes = record(simulation, [FIRST, SECOND]);
  simulation.run(100);
  const seen = simulation.seen.filter((line) => line.endsWith("HINFO"));
  assert.deepEqual(seen.map((line) => line.split(" ")[1]).sort(), [FIRST, SECOND]);
  assert.equal(new Set(probes.map(({ name }) => name)).size, 2);
});

for (const [what, change] of Object.entries(without)) {
  Deno.test(`a loop through a server that strips ${what} is found by repeated probes, and ends`, () => {
    const simulation = start("10.0.0.1");
    simulation.leadBack(FIRST, { change });
    simulation.run(200);
    assert.equal(found(simulation), 0);
    simulation.run(3000);
    assert.equal(found(simulation), 1);
    assert.equal(ask(simulation), "SERVFAIL");
    simulation.run(MINUTES_10);
    assert.equal(found(simulation), 1);
    assert.equal(ask(simulation), "SERVFAIL");
    simulation.upstream(FIRST, good);
    simulation.run(12_000);
    assert.equal(ask(simulation), "NOERROR");
  });
}

for (
  const [what, change] of Object.entries({ nothing: (bytes: Uint8Array) => bytes, ...without })
) {
  Deno.test(`a loop that strips ${what} and loses some probes is still reported`, () => {
    const simulation = start("10.0.0.1");
    // Never two rounds in a row; a lost name is always lost.
    const rounds: { atMs: number; lost: string }[] = [];
    simulation.leadBack(FIRST, {
      change: (bytes) => {
        const { name } = decode(bytes).questions![0]!;
        const last = rounds.at(-1);
        if (last === undefined || simulation.nowMs > last.atMs + 100) {
          rounds.push({ atMs: simulation.nowMs, lost: rounds.length % 8 === 7 ? name : "" });
        }
        const isLost = rounds.some(({ lost }) => lost === name);
        return isLost ? new Uint8Array(4) : change(bytes);
      },
    });
    simulation.run(10_000);
    simulation.logs.length = 0;
    const seen = simulation.seen.length;
    for (let i = 0; i < 60; i++) {
      simulation.run(MINUTES_10 / 10);
      assert.equal(ask(simulation), "SERVFAIL");
    }
    assert.ok(rounds.filter(({ lost }) => lost !== "").length > 50);
    assert.equal(found(simulation), 1);
    assert.deepEqual(simulation.logs.filter((line) => line.includes("plugin/loop")), []);
    assert.deepEqual(simulation.seen.slice(seen).filter((line) => line.endsWith(" A")), []);
  });
}

Deno.test("a loop through a server that drops queries with options is found", () => {
  const simulation = start("10.0.0.1");
  simulation.leadBack(FIRST, {
    change: (bytes) => optionsOf(decode(bytes)).length > 0 ? new Uint8Array(4) : bytes,
  });
  simulation.run(120_000);
  assert.equal(found(simulation), 1);
  assert.equal(ask(simulation), "SERVFAIL");
});

Deno.test("without cookies, probes have no option, and a loop is found by repeated probes", () => {
  const simulation = start("10.0.0.1", "no_cookies");
  const probes = record(simulation);
  simulation.run(100);
  assert.deepEqual(probes.map(({ mark }) => mark), [null]);
  simulation.leadBack(FIRST);
  simulation.ask(queryBytes({ name: "www.example.org" }));
  simulation.run(60_000);
  assert.equal(found(simulation), 1);
});

/** Two server blocks, as two hosts that forward to each other. */
function chain(options: { first?: string; second?: string } = {}): Simulation {
  const { first = "loop", second = "loop" } = options;
  const simulation = new Simulation(
    `.:53 {\n${first}\nforward . 10.0.0.1\n}\n.:5353 {\n${second}\nforward . 10.0.0.2\n}`,
  );
  simulation.leadBack(FIRST, { listener: 1 });
  simulation.leadBack(SECOND, { listener: 0 });
  return simulation;
}

for (
  const [title, options] of [
    ["both detect loops", {}],
    ["only one does", { second: "" }],
  ] as const
) {
  Deno.test(`a loop through another nodens is found with the first probe: ${title}`, () => {
    const simulation = chain(options);
    simulation.run(20);
    assert.ok(found(simulation) >= 1);
    assert.equal(ask(simulation), "SERVFAIL");
    simulation.upstream(SECOND, good);
    simulation.run(10_000);
    assert.equal(ask(simulation), "NOERROR");
    assert.equal(ask(simulation, 1), "NOERROR");
  });
}

Deno.test("if one of two upstreams loops without options, the other is asked", () => {
  const simulation = start("10.0.0.1 10.0.0.2", "policy round_robin");
  simulation.leadBack(FIRST, { change: without.edns });
  simulation.upstream(SECOND, good);
  simulation.run(5000);
  assert.equal(found(simulation), 1);
  const before = simulation.seen.length;
  for (let i = 0; i < 50; i++) assert.equal(ask(simulation), "NOERROR");
  const clients = simulation.seen.slice(before).filter((line) => line.endsWith(" A"));
  assert.ok(clients.every((line) => line.includes(SECOND)));
  assert.equal(simulation.count("nodens_forward_loop_refused_total"), 0);
});

for (const upstreams of ["10.0.0.1", "10.0.0.1 10.0.0.2"]) {
  Deno.test(`a probe's name replayed every three seconds is not a loop: ${upstreams}`, () => {
    const simulation = start(upstreams, "policy sequential");
    const probes = record(simulation);
    simulation.upstream(SECOND, good);
    for (let ms = 0; ms < MINUTES_10; ms += 3000) {
      simulation.run(2900);
      replay(simulation, { ...probes.at(-1)!, mark: null });
      assert.equal(ask(simulation), "NOERROR");
    }
    assert.equal(found(simulation), 0);
    // The first of a round triggers a few more probes.
    const names = new Set(probes.map(({ name }) => name));
    assert.ok(names.size < 40, `${names.size} probes`);
  });
}

Deno.test("an upstream that replays every first probe's name is not a loop", () => {
  const simulation = start("10.0.0.1");
  const seen = new Set<number>();
  record(simulation, [FIRST], ({ name }) => {
    const round = Math.floor(simulation.nowMs / 300);
    if (seen.has(round)) return;
    seen.add(round);
    replay(simulation, { name, mark: null });
  });
  for (let i = 0; i < 200; i++) {
    simulation.run(2900);
    assert.equal(ask(simulation), "NOERROR");
  }
  assert.equal(found(simulation), 0);
  assert.ok(simulation.count("nodens_loop_replays_total") > 0);
});

Deno.test("an upstream that replays every probe with its mark excludes only itself", () => {
  const simulation = start("10.0.0.1 10.0.0.2", "policy round_robin");
  record(simulation, [FIRST], (probe) => replay(simulation, probe));
  simulation.upstream(SECOND, good);
  for (let i = 0; i < 200; i++) {
    simulation.run(2900);
    assert.equal(ask(simulation), "NOERROR");
  }
  assert.equal(found(simulation), 1);
  assert.deepEqual(simulation.engine.blocks.unready(), []);
});

Deno.test("recorded marks are not evidence later or with another probe's name", () => {
  const simulation = start("10.0.0.1");
  const probes = record(simulation);
  for (let round = 0; round < 20; round++) {
    const before = probes.length;
    while (probes.length === before) simulation.run(1000);
    const { name } = probes.at(-1)!;
    for (const { mark } of probes.slice(0, -1)) replay(simulation, { name, mark });
    for (const probe of probes.slice(0, -1)) replay(simulation, probe);
    simulation.run(7000);
    for (const probe of probes) replay(simulation, probe);
    assert.equal(ask(simulation), "NOERROR");
  }
  assert.equal(found(simulation), 0);
});

Deno.test("two of three probes that come back without options are not a loop", () => {
  const simulation = start("10.0.0.1");
  let sent = 0;
  simulation.leadBack(FIRST, {
    change: (bytes) => ++sent % 3 === 0 ? new Uint8Array(4) : without.edns(bytes),
  });
  simulation.run(MINUTES_10);
  assert.equal(found(simulation), 0);
});

Deno.test("queries without an upstream outside loops are counted, with a temporary error", () => {
  const simulation = start("10.0.0.1 10.0.0.2");
  for (const to of [FIRST, SECOND]) simulation.leadBack(to);
  simulation.run(100);
  assert.equal(found(simulation), 2);
  const asked = simulation.ask(queryBytes({ name: "www.example.org", edns: 1232 }));
  assert.deepEqual(errorCodes(onlyAnswer(asked)), [14]);
  assert.equal(simulation.count("nodens_forward_loop_refused_total"), 1);
  assert.deepEqual(simulation.engine.blocks.unready(), [[0, "loop"]]);
});

Deno.test("only the forward whose server loops refuses queries", () => {
  const simulation = new Simulation(
    ". {\nloop\nforward cluster.local 10.0.0.2\nforward . 10.0.0.1\n}",
  );
  simulation.leadBack(FIRST);
  simulation.upstream(SECOND, good);
  simulation.run(100);
  assert.equal(found(simulation), 1);
  const rcodeOf = (name: string) => {
    const asked = simulation.ask(queryBytes({ name }));
    simulation.run(50);
    return onlyAnswer(asked).rcode;
  };
  assert.equal(rcodeOf("www.cluster.local"), "NOERROR");
  assert.equal(rcodeOf("www.example.org"), "SERVFAIL");
  assert.ok(simulation.seen.every((line) => !line.includes(SECOND) || !line.endsWith("HINFO")));
});
