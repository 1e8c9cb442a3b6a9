import assert from "node:assert/strict";
import { Mood, Oracle, unreliable, type UpstreamReply } from "./chaos_upstreams.ts";
import { queryBytes } from "../messages/messages.ts";
import { seeded } from "../run/random.ts";
import { frame, Simulation } from "./simulation.ts";
import * as kinds from "./upstream_kinds.ts";

const HOURS = 24;
const HOUR_MS = 3_600_000;
const BURST_MS = 60_000;
const BURSTS_AN_HOUR = 4;
const SETTLED_HOURS = 8;
const NAMES = 300;
/** Longest lifetime without queries, of an idle connection, failed check or probe. */
const QUIET_MS = 300_000;
/** Samples of usage, further apart than an idle connection lives. */
const LOOKS = 4;
const LOOK_MS = 16_000;
const UPSTREAMS = ["10.0.0.1", "10.0.0.2", "10.0.0.3"];

const NOTHING = ["waiting", "clientStreams", "streamBytes", "upstreamSockets", "returnAddresses"];
/** Chunk size of the cache's memory; each new size of message takes one. */
const CHUNK = 65_536;
/** Kinds that grow to their size and then stay, except for this share and some more. */
const LEVEL = {
  timers: { share: 0, more: 0 },
  // A new response code or failure gets its own series.
  series: { share: 0.25, more: 0 },
  cacheBytes: { share: 0.25, more: CHUNK },
  arenaBytes: { share: 0.25, more: CHUNK },
} as const;
const BURST = { least: 10, most: 60 } as const;
/** Pools grow to the peak demand, which may be late. */
const POOLS = ["exchanges", "returnPlaces", "socketPlaces"];

/**
 * A day of virtual time: bursts of clients over UDP and TCP, changing upstreams, and hours of
 * silence. Throws if anything leaks or grows.
 */
export function runDay(seed: number): { queries: number; upstream: number } {
  const dice = seeded(seed ^ 0xda7);
  const one = <T>(values: readonly T[]): T => values[dice() % values.length]!;
  const upstreams = UPSTREAMS.slice(0, 1 + dice() % UPSTREAMS.length);
  const options = [
    one(["", "policy round_robin", "policy sequential", "policy fastest"]),
    one(["", "force_tcp", "prefer_udp"]),
    one(["", "hedge", "x20"]),
    one(["", "ecs pass"]),
  ].join("\n");
  const cache = one(["", "serve_stale 1h verify 1s", "serve_stale 10m", "prefetch 2 1m 20%"]);
  const corefile = `. {\nprometheus\ncache {\nsuccess 1024 3600\ndenial 1024\n${cache}\n}\nloop\n` +
    `forward . ${upstreams.join(" ")} {\n${options}\n}\n}`;
  const simulation = new Simulation(corefile, { seed });
  const oracle = new Oracle(() => simulation.nowMs);
  const moods = upstreams.map((address) => {
    const mood = new Mood(dice);
    const inner = unreliable(mood, oracle, dice);
    const behaviour = one([inner, kinds.serial(inner), kinds.closing(inner)]);
    simulation.upstream(
      `${address}:53`,
      (query, transport, arrival) => behaviour(query, transport, arrival) as UpstreamReply[],
    );
    return mood;
  });
  const fault = (hour: number, what: string) => `seed ${seed}, hour ${hour}: ${what}\n${corefile}`;
  const settled: Record<string, number> = {};
  let queries = 0;
  for (let hour = 1; hour <= HOURS; hour++) {
    for (let burst = 0; burst < BURSTS_AN_HOUR; burst++) {
      const endMs = simulation.nowMs + HOUR_MS / BURSTS_AN_HOUR;
      queries += runBurst(simulation, { dice, moods, hour });
      simulation.run(endMs - simulation.nowMs - QUIET_MS);
      // A silent upstream would be checked forever.
      for (const mood of moods) mood.now = "well";
      simulation.run(QUIET_MS);
    }
    const held = leastHeld(simulation);
    for (const name of NOTHING) assert.equal(held[name], 0, fault(hour, name));
    for (const name of POOLS) {
      assert.ok(held[name]! <= BURST.most, fault(hour, `${name}: ${held[name]}`));
    }
    for (const [name, { share, more }] of Object.entries(LEVEL)) {
      const most = settled[name] ?? 0;
      if (hour <= SETTLED_HOURS) settled[name] = Math.max(most, held[name]!);
      else {
        const limit = most * (1 + share) + more;
        assert.ok(held[name]! <= limit, fault(hour, `${name} ${most} → ${held[name]}`));
      }
    }
  }
  return { queries, upstream: simulation.seen.length };
}

/** The minimum of each kind over a minute, because probes and refreshes come and go. */
function leastHeld(simulation: Simulation): Record<string, number> {
  const { held } = simulation;
  for (let i = 0; i < LOOKS; i++) {
    simulation.run(LOOK_MS);
    for (const [name, size] of Object.entries(simulation.held)) {
      held[name] = Math.min(held[name]!, size);
    }
  }
  return held;
}

function runBurst(
  simulation: Simulation,
  { dice, moods, hour }: { dice: () => number; moods: readonly Mood[]; hour: number },
): number {
  const count = BURST.least + dice() % (BURST.most - BURST.least);
  const streams: ReturnType<Simulation["openStream"]>[] = [];
  for (let i = 0; i < count; i++) {
    const name = dice() % 4 === 0
      ? `once${dice()}.example.org`
      : `n${dice() % NAMES}.h${hour % 3}.example.org`;
    const subnet = Uint8Array.of(0, 1, 24, 0, 10, dice() & 255, dice() & 255);
    const edns = dice() % 2 === 0;
    const bytes = queryBytes({
      name,
      id: i,
      ...edns && { edns: 1232, ednsOptions: [{ code: 8, data: subnet }] },
    });
    const client = `192.0.2.${dice() & 255}`;
    if (dice() % 5 > 0) {
      simulation.ask(bytes, 0, client);
    } else {
      const stream = simulation.openStream(0, {});
      stream.send(frame(bytes));
      streams.push(stream);
      if (dice() % 3 === 0) stream.end();
      if (dice() % 7 === 0) stream.reset();
    }
    if (dice() % 10 === 0) moods[dice() % moods.length]!.change();
    simulation.run(dice() % (2 * BURST_MS / count));
  }
  return count;
}
