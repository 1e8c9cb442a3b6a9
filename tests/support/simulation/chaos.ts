import assert from "node:assert/strict";
import { DISCARD_MS } from "../../../src/engine/clients/responses.ts";
import { COUNTER } from "../../../src/engine/counters.ts";
import { decode, errorCodes, queryBytes } from "../messages/messages.ts";
import { QUESTIONS_PER_NAME, SubnetOracle } from "./chaos_subnets.ts";
import { Mood, Oracle, unreliable, type UpstreamReply } from "./chaos_upstreams.ts";
import { seeded } from "../run/random.ts";
import { type Asked, type Behaviour, frame, Simulation } from "./simulation.ts";
import * as kinds from "./upstream_kinds.ts";

const UPSTREAMS = ["10.0.0.1", "10.0.0.2", "10.0.0.3"];
/** The documented bound over all attempts. */
const BOUND_MS = 5000;
/** CoreDNS's lowest TTL: an answer with a lower one is cached for this long. */
const MIN_TTL_SECONDS = 5;

interface Setup {
  corefile: string;
  discards: boolean;
  upstreams: string[];
  staleSeconds: number;
  stalePositive: boolean;
  packetsPerLookup: number;
  questionsPerName: number;
  hedges: boolean;
}

export interface ChaosTimes {
  /** Monotonic milliseconds at the start of the engine. */
  startMs?: number;
  idleMs?: number;
}

interface Question {
  asked: Asked;
  name: string;
  id: number;
}

/**
 * One run of clients, upstreams that by turns hang, die, truncate and lie, and a network that
 * loses, duplicates, reorders and forges, all from one seed. Throws if an invariant is violated;
 * the message begins with the seed. Every query gets exactly one answer within the bound (with
 * `discard`, UDP clients may get none, which is counted). The answer has the question, spelling
 * and id of its client. With `ecs pass` it is for the client's network or for all. No forged data;
 * none older than its TTL or than `serve_stale` allows, and stale data is marked. One question
 * sends no more packets than its rules allow, in any second and in all. Nothing is left at the
 * end.
 */
export function runChaos(
  seed: number,
  { startMs = 1000, idleMs = 0 }: ChaosTimes = {},
): { queries: number; upstream: number } {
  const dice = seeded(seed ^ 0x5eed);
  const subnetDice = seeded(seed ^ 0xec5);
  const passesSubnets = subnetDice() % 2 === 1;
  const setup = choose(dice, { discards: seed % 2 === 0, passesSubnets });
  const simulation = new Simulation(setup.corefile, { seed, startMs });
  simulation.run(idleMs);
  simulation.lossPerMille = dice() % 3 === 0 ? dice() % 250 : dice() % 30;
  const oracle = new Oracle(() => simulation.nowMs);
  const subnets = new SubnetOracle(subnetDice, passesSubnets);
  const packets = new Map<string, number[]>();
  const moods = setup.upstreams.map((address) => {
    const mood = new Mood(dice);
    const behaviour = ofSomeKind(unreliable(mood, oracle, dice, subnets), dice);
    simulation.upstream(`${address}:53`, (query, transport, arrival) => {
      const { name, type } = query.questions![0]!;
      if (type !== "NS") {
        const key = name.toLowerCase();
        const times = packets.get(key) ?? [];
        times.push(simulation.nowMs);
        packets.set(key, times);
      }
      return behaviour(query, transport, arrival) as UpstreamReply[] | "refuse";
    });
    return mood;
  });

  const fault = (what: string) => `seed ${seed}: ${what}\n${setup.corefile}`;
  const all: Question[] = [];
  const streams = new ChaosStreams(simulation);
  const names = 3 + dice() % 40;
  const count = 200 + dice() % 300;
  const pauseMs = [5, 60, 400, 3000][dice() % 4]!;
  for (let i = 0; i < count; i++) {
    const number = Math.floor((dice() % 1000) ** 2 / 1e6 * names);
    const name = dice() % 2 === 0 ? `n${number}.example.org` : `N${number}.Example.ORG`;
    const id = dice() & 0xffff;
    const bytes = queryBytes(
      dice() % 2 === 0 ? { name, id, edns: 1232, ednsOptions: subnets.draw() } : { name, id },
    );
    if (dice() % 8 === 0) streams.ask({ name, id, bytes, dice });
    else all.push({ asked: simulation.ask(bytes), name, id });
    if (dice() % 3 === 0) simulation.run(dice() % pauseMs);
    if (dice() % 20 === 0) moods[dice() % moods.length]!.change();
  }
  simulation.run(BOUND_MS + 100);
  streams.finish();
  simulation.run(60_000);
  const late = setup.discards ? all.filter(({ asked }) => asked.answers.length === 0) : [];
  const discarded = simulation.counters.values[COUNTER.DISCARDED];
  assert.equal(late.length, discarded, fault("queries without an answer"));
  const answered = all.filter((question) => !late.includes(question));
  for (const { asked, name } of setup.discards ? answered : []) {
    const [{ bytes, atMs }] = asked.answers as [Asked["answers"][0]];
    const waitedMs = atMs - asked.atMs;
    // Stale answers may be late too, and only some clients see the mark.
    const records = setup.staleSeconds === 0 && decode(bytes).answers!.length > 0;
    assert.ok(waitedMs <= DISCARD_MS || !records, fault(`${name} after ${waitedMs} ms`));
  }
  all.push(...streams.questions);
  answered.push(...streams.questions);

  for (const question of answered) checkAnswer(question, { setup, oracle, subnets, fault });
  checkPackets(packets, { simulation, setup, fault });
  assert.equal(simulation.engine.waiting, 0, fault("exchanges left"));
  assert.equal(simulation.keptCount, 0, fault("return addresses left"));
  assert.equal(simulation.engine.streams.size, 0, fault("client streams left"));
  assert.equal(simulation.engine.streams.bytes, 0, fault("memory of client streams left"));
  // Checks of an upstream that never answers continue, with one socket or connection each.
  assert.ok(simulation.openUpstream <= setup.upstreams.length, fault("sockets left"));
  return { queries: all.length, upstream: simulation.seen.length };
}

function ofSomeKind(inner: Behaviour, dice: () => number): Behaviour {
  switch (dice() % 12) {
    case 0:
    case 1:
      return kinds.serial(inner);
    case 2:
      return kinds.firstOnly(inner);
    case 3:
      return kinds.atMost(1 + dice() % 4, inner);
    case 4:
      return kinds.atMost(1 + dice() % 4, kinds.serial(inner));
    case 5:
      return kinds.closing(inner);
    case 6:
      return kinds.toEdns(kinds.silent, inner, { options: dice() % 2 === 0 });
    case 7:
      return kinds.toEdns(kinds.failing([1, 2, 4, 5][dice() % 4]!, "bare"), inner);
    case 8:
      return kinds.folding(inner);
    case 9:
      return kinds.changing(5000 + dice() % 20_000, inner, kinds.serial(inner));
    default:
      return inner;
  }
}

function choose(
  dice: () => number,
  { discards, passesSubnets }: { discards: boolean; passesSubnets: boolean },
): Setup {
  const one = <T>(values: readonly T[]): T => values[dice() % values.length]!;
  const upstreams = UPSTREAMS.slice(0, 1 + dice() % UPSTREAMS.length);
  const hedge = one(["", "", "hedge", "hedge 20ms"]);
  const attempts = one([null, null, 0, 1, 4]);
  const forward = [
    one(["", "policy round_robin", "policy sequential", "policy fastest"]),
    hedge,
    one(["", "", "force_tcp", "prefer_udp"]),
    one(["", "", "max_fails 0", "max_fails 1"]),
    one(["", "", "x20", "no_cookies"]),
    one(["", "", "expire 1s", "expire 1s\nmax_age 2s"]),
    one(["", "", "failover SERVFAIL", "failfast_all_unhealthy_upstreams"]),
    one(["", "", "read_timeout 300ms", "read_timeout 1s"]),
    attempts === null ? "" : `max_connect_attempts ${attempts}`,
    passesSubnets ? "ecs pass" : "",
  ];
  const stale = one([
    "",
    "",
    "1h",
    "20s",
    "30s immediate 5s 2s",
    "1h verify",
    "1m verify 50ms 30s 1s",
  ]);
  const positive = stale !== "" && dice() % 3 === 0;
  const cache = [
    `success ${one([1024, 2048])}`,
    one(["", "prefetch 1 1m 50%", "prefetch 2"]),
    stale === "" ? "" : `serve_stale ${stale}`,
    positive ? "serve_stale_policy prefer_positive" : "",
    one(["", "servfail 0s", "servfail 30s"]),
  ];
  // Without a limit: a round of all every 50 ms until the time is up.
  const limit = attempts === 0
    ? upstreams.length * BOUND_MS / 50
    : attempts ?? 2 * upstreams.length;
  return {
    discards,
    corefile:
      `. {\n${discards ? "" : "timeouts {\ndiscard 0\n}\n"}cache {\n${lines(cache)}}\nforward . ${
        upstreams.join(" ")
      } {\n` +
      `${lines(forward)}}\n}`,
    upstreams,
    staleSeconds: stale === "" ? 0 : { "1h": 3600, "20s": 20, "30s": 30, "1m": 60 }[
      stale.split(" ")[0]!
    ]!,
    stalePositive: positive,
    // Each attempt may go over TCP, without OPT, without or with a fresh cookie, again once, and
    // without the subnet.
    packetsPerLookup: (limit + 3) * (passesSubnets ? 6 : 5),
    questionsPerName: passesSubnets ? QUESTIONS_PER_NAME : 1,
    hedges: hedge !== "",
  };
}

const lines = (options: string[]) =>
  options.filter((option) => option !== "").map((option) => `${option}\n`).join("");

function checkAnswer(
  { asked, name, id }: Question,
  { setup, oracle, subnets, fault }: {
    setup: Setup;
    oracle: Oracle;
    subnets: SubnetOracle;
    fault: (what: string) => string;
  },
): void {
  assert.equal(asked.answers.length, 1, fault(`${name}: ${asked.answers.length} answers`));
  const { bytes, atMs } = asked.answers[0]!;
  const waitedMs = atMs - asked.atMs;
  assert.ok(waitedMs <= BOUND_MS, fault(`${name} waited ${waitedMs} ms`));
  const answer = decode(bytes);
  assert.equal(answer.id, id, fault(name));
  // Passed on if TCP brought nothing better; these upstreams put no records into it.
  if (answer.flag_tc) assert.equal(answer.answers!.length, 0, fault(`${name} was truncated`));
  assert.equal(answer.questions![0]!.name, name, fault(`${name} got another answer`));
  const query = decode(asked.bytes);
  const edns = query.additionals!.length > 0;
  for (const record of answer.answers ?? []) {
    const { data, ttl } = record as { data: string; ttl: number };
    if (subnets.knows(data)) {
      subnets.check(data, query, answer, (what) => fault(`${name}: ${what}`));
      continue;
    }
    const bornMs = oracle.bornMs(name, data, atMs);
    assert.ok(bornMs !== null, fault(`${name}: ${data} is a lie`));
    const ageSeconds = (atMs - bornMs) / 1000;
    const goodSeconds = Math.max(oracle.ttlSeconds(name), MIN_TTL_SECONDS);
    // Replies take a while, and ages are counted in whole seconds.
    const slack = BOUND_MS / 1000 + 1;
    assert.ok(
      ageSeconds <= goodSeconds + setup.staleSeconds + slack,
      fault(`${name}: ${ageSeconds} s old, good for ${goodSeconds} s`),
    );
    if (ageSeconds > goodSeconds + slack) {
      assert.ok(ttl <= 30, fault(`${name}: stale with a TTL of ${ttl}`));
      if (edns) assert.equal(errorCodes(answer)[0], 3, fault(`${name}: stale without a word`));
    }
  }
}

function checkPackets(
  packets: ReadonlyMap<string, number[]>,
  { simulation, setup, fault }: {
    simulation: Simulation;
    setup: Setup;
    fault: (what: string) => string;
  },
): void {
  let total = 0;
  for (const [name, times] of packets) {
    total += times.length;
    // Within a second: one lookup that ends and one that begins, for clients and for a refresh.
    for (let i = 0, j = 0; j < times.length; j++) {
      while (times[j]! - times[i]! > 500) i++;
      assert.ok(
        j - i < 3 * setup.packetsPerLookup * setup.questionsPerName + setup.upstreams.length * 6,
        fault(`${name}: ${j - i + 1} packets within half a second`),
      );
    }
  }
  const lookups = simulation.count("nodens_forward_lookups_total");
  assert.ok(
    total <= lookups * setup.packetsPerLookup,
    fault(`${total} packets, ${lookups} lookups`),
  );
  const hedges = simulation.count("nodens_forward_hedges_total");
  assert.ok(hedges <= (setup.hedges ? lookups / 20 : 0), fault(`${hedges} hedges of ${lookups}`));
  const resends = simulation.count("nodens_forward_resends_total");
  assert.ok(resends <= 3 * lookups, fault(`${resends} resends of ${lookups}`));
}

/** Clients over TCP: several questions per stream, in pieces, some half-closed early. */
class ChaosStreams {
  readonly questions: Question[] = [];
  readonly #simulation: Simulation;
  #stream: ReturnType<Simulation["openStream"]> | null = null;
  #own: Question[] = [];
  readonly #open: { stream: ReturnType<Simulation["openStream"]>; own: Question[] }[] = [];

  constructor(simulation: Simulation) {
    this.#simulation = simulation;
  }

  ask({ name, id, bytes, dice }: {
    name: string;
    id: number;
    bytes: Uint8Array;
    dice: () => number;
  }): void {
    const renew = this.#stream === null || this.#stream.closed() ||
      this.#own.some((question) => question.id === id) || dice() % 4 === 0;
    if (renew) {
      if (this.#stream !== null && dice() % 2 === 0) this.#stream.end();
      this.#stream = this.#simulation.openStream();
      this.#own = [];
      this.#open.push({ stream: this.#stream, own: this.#own });
    }
    const asked: Asked = { bytes, atMs: this.#simulation.nowMs, client: "", answers: [] };
    const question = { asked, name, id };
    this.#own.push(question);
    const whole = frame(bytes);
    const cut = dice() % whole.length;
    if (cut > 0) this.#stream!.send(whole.slice(0, cut));
    this.#stream!.send(whole.slice(cut));
  }

  /** Assigns received frames to their questions and closes all streams. */
  finish(): void {
    for (const { stream, own } of this.#open) {
      if (!stream.closed()) stream.end();
      for (const bytes of stream.received) {
        const question = own.find(({ id }) => id === decode(bytes).id);
        assert.ok(question !== undefined, "an unsolicited answer");
        // A frame has no recorded time; its presence proves that it was in time.
        question.asked.answers.push({ bytes, atMs: question.asked.atMs });
      }
      this.questions.push(...own);
    }
  }
}
