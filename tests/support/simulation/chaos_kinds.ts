import assert from "node:assert/strict";
import { decode, queryBytes } from "../messages/messages.ts";
import { seeded } from "../run/random.ts";
import { type Asked, type Behaviour, Simulation } from "./simulation.ts";
import * as kinds from "./upstream_kinds.ts";

const BOUND_MS = 2500;
const TURN_MS = 8000;

/**
 * One run of a healthy server of some kind beside unhealthy ones, with some slow and some
 * unanswered names, all from one seed. Throws if a slow or broken name or server fails another
 * name that the healthy server could answer.
 */
export function runKinds(seed: number): { queries: number; upstream: number } {
  const dice = seeded(seed ^ 0x1234567);
  const one = <T>(values: readonly T[]): T => values[dice() % values.length]!;
  const delayMs = one([1, 5, 20, 80]);
  const byName: Behaviour = (query, transport, arrival) => {
    const { name } = query.questions![0]!;
    if (name.startsWith("never")) return [];
    if (name.startsWith("fail")) return kinds.failing(2)(query, transport, arrival);
    const slowMs = name.startsWith("slow") ? 500 + (name.length * 7919) % 1200 : delayMs;
    return kinds.answering(slowMs)(query, transport, arrival);
  };
  const [kind, well] = one<[string, Behaviour]>([
    ["serial", kinds.serial(byName)],
    ["serial", kinds.serial(byName)],
    ["any order", byName],
    ["first only", kinds.firstOnly(byName)],
    ["closing", kinds.closing(kinds.serial(byName))],
    ["twenty connections", kinds.atMost(20, kinds.serial(byName))],
    ["drops options", kinds.toEdns(kinds.silent, byName, { options: true })],
    ["FORMERR to OPT", kinds.toEdns(kinds.failing(1, one(["bare", "whole"])), kinds.withoutEdns())],
    ["slow accept", kinds.slowAccept(200, kinds.serial(byName))],
    ["closes at the second", kinds.serial(kinds.closingAt(2, byName))],
    ["turns serial", kinds.changing(TURN_MS, byName, kinds.serial(byName))],
    ["turns concurrent", kinds.changing(TURN_MS, kinds.serial(byName), byName)],
    ["turns to closing", kinds.changing(TURN_MS, byName, kinds.closing(kinds.serial(byName)))],
  ]);
  const broken: Record<string, Behaviour> = {
    silent: kinds.silent,
    refusing: kinds.refusing,
    refuses: kinds.failing(5),
    lame: kinds.lame("empty"),
    servfail: kinds.overTcp(kinds.refusing, kinds.silent),
  };
  const others = Array.from({ length: dice() % 3 }, () => one(Object.keys(broken)));
  const addresses = ["10.0.0.1", ...others.map((_, i) => `10.0.0.${i + 2}`)];
  const forward = [
    one(["", "force_tcp", "prefer_udp"]),
    one(["policy random", "policy round_robin", "policy sequential", "policy fastest"]),
    one(["", "expire 1s", "no_cookies"]),
  ].join("\n");
  const simulation = new Simulation(
    `. {\ntimeouts {\ndiscard 0\n}\nforward . ${addresses.join(" ")} {\n${forward}\n}\n}`,
    { seed },
  );
  simulation.upstream("10.0.0.1:53", well);
  others.forEach((name, i) => simulation.upstream(`10.0.0.${i + 2}:53`, broken[name]!));
  const fast: Asked[] = [];
  // Within the server's capacity: ten queries at a time, plus four slow ones a second.
  const everyMs = Math.max(one([2, 10, 50]), delayMs / 10);
  const slowShare = Math.min(dice() % 30, (kind === "twenty connections" ? 1 : 4) * everyMs / 10);
  // Detection may cost the first queries their answers.
  for (let i = 0; i < 3 * addresses.length; i++) {
    simulation.ask(queryBytes({ name: `first${i}.example.org` }));
    simulation.run(1000);
  }
  for (let i = 0; i < 300; i++) {
    if (dice() % 100 < slowShare) {
      const what = one(["slow", "slow", "never"]);
      simulation.ask(queryBytes({ name: `${what}${"x".repeat(dice() % 9)}${i}.example.org` }));
    }
    fast.push(simulation.ask(queryBytes({ name: `n${i}.example.org` })));
    simulation.run(dice() % (2 * everyMs));
  }
  simulation.run(10_000);
  const said = `seed ${seed}: ${kind} beside ${others.join(", ") || "none"}, ${forward}`;
  fast.forEach((asked, i) => {
    const [answer] = asked.answers;
    assert.ok(answer !== undefined, `${said}: n${i} at ${asked.atMs} got no answer`);
    const { rcode } = decode(answer.bytes);
    assert.equal(rcode, "NOERROR", `${said}: n${i} at ${asked.atMs}`);
    const tookMs = answer.atMs - asked.atMs;
    assert.ok(tookMs <= BOUND_MS, `${said}: n${i} at ${asked.atMs} took ${tookMs} ms`);
  });
  return { queries: fast.length, upstream: simulation.seen.length };
}
