import assert from "node:assert/strict";
import { decode, queryBytes } from "../messages/messages.ts";
import { type Asked, type Behaviour, Simulation } from "./simulation.ts";
import { answering } from "./upstream_kinds.ts";

/** Names that begin with "slow" take a second and a half, others two milliseconds. */
export const bySpeed: Behaviour = answering((name) => name.startsWith("slow") ? 1500 : 2);

/** The default of `expire`, and some more. */
const IDLE_MS = 20_000;

/** nodens with servers of these kinds, tried in this order. */
export function startKinds(
  behaviour: Behaviour | Behaviour[],
  options = "",
  { tls = false } = {},
): Simulation {
  const all = [behaviour].flat();
  const to = all.map((_, i) => `10.0.0.${i + 1}`);
  const names = to.map((address) => tls ? `tls://${address}` : address);
  const simulation = new Simulation(
    // Answers count however late they are.
    `. {\n timeouts {\n discard 0\n }\n forward . ${
      names.join(" ")
    } {\n policy sequential\n ${options}\n }\n}`,
  );
  all.forEach((one, i) => simulation.upstream(`${to[i]}:${tls ? 853 : 53}`, one));
  return simulation;
}

/** Times of the answers with records. */
export function answered(asked: readonly Asked[]): number[] {
  return asked.filter(({ answers }) =>
    answers.length === 1 && decode(answers[0]!.bytes).answers!.length > 0
  ).map((one) => one.answers[0]!.atMs - one.atMs);
}

/** Asks this many names at once. */
export function burst(simulation: Simulation, count: number): Asked[] {
  return Array.from(
    { length: count },
    (_, i) => simulation.ask(queryBytes({ name: `n${i}.example.org` })),
  );
}

/** Fast names of other clients, one every 50 ms, while slow names are asked. */
export function mixed(
  simulation: Simulation,
  slowEveryMs: number,
): { fast: Asked[]; slow: Asked[] } {
  const fast: Asked[] = [];
  const slow: Asked[] = [];
  for (let ms = 0; ms < 6000; ms += 50) {
    if (ms % slowEveryMs === 0) {
      slow.push(simulation.ask(queryBytes({ name: `slow${ms}.example.org` })));
    }
    fast.push(simulation.ask(queryBytes({ name: `fast${ms}.example.org` })));
    simulation.run(50);
  }
  simulation.run(6000);
  return { fast, slow };
}

/** Each question has one answer, and nothing is open once all is idle. */
export function assertOver(simulation: Simulation, asked: readonly Asked[]): void {
  simulation.run(IDLE_MS);
  for (const { answers, bytes } of asked) assert.equal(answers.length, 1, nameOf(bytes));
  assert.equal(simulation.openUpstream, 0, "sockets and streams towards servers");
  assert.equal(simulation.keptCount, 0, "return addresses");
}

function nameOf(bytes: Uint8Array): string {
  return decode(bytes).questions![0]!.name;
}
