import assert from "node:assert/strict";
import type { RaceSettings } from "../../src/upstream/race/types.ts";
import { FakeServers, type RaceOptions } from "./fake_servers.ts";
import { seeded } from "../support/run/random.ts";

interface Row {
  name: string;
  /** What comes of the asks of `a`, `b`, …: their scripts, by ask; a rank in front where it is not 0. */
  servers: (string | number)[][];
  settings?: Partial<RaceSettings> & { hedges?: number; resends?: number };
  race?: RaceOptions;
  trace: string[];
}

const TABLE: Readonly<Record<string, readonly Row[]>> = {
  "failover": [
    {
      name: "the first answers",
      servers: [["10 answer"], ["silent"]],
      trace: ["0 ask a", "10 answer of a"],
    },
    {
      name: "the first cannot be asked",
      servers: [["cannot"], ["10 answer"]],
      trace: ["0 ask a", "0 ask b", "10 answer of b"],
    },
    {
      name: "the first fails",
      servers: [["5 failed"], ["10 answer"]],
      trace: ["0 ask a", "5 ask b", "15 answer of b"],
    },
    {
      name: "all fail: two rounds",
      servers: [["5 failed"], ["5 failed"]],
      trace: [
        ...["0 ask a", "5 ask b", "10 ask a", "15 ask b"],
        "20 failed: b: connection refused",
      ],
    },
    {
      name: "as many asks as max_connect_attempts says",
      servers: [["5 failed"], ["10 answer"]],
      settings: { maxConnectAttempts: 1 },
      trace: ["0 ask a", "5 failed: a: connection refused"],
    },
    {
      name: "a code of failover",
      servers: [["5 SERVFAIL"], ["10 answer"]],
      settings: { failover: [2] },
      trace: ["0 ask a", "5 ask b", "15 answer of b"],
    },
    {
      name: "a suspect server comes last",
      servers: [[1, "10 answer"], ["10 answer"]],
      trace: ["0 ask b", "10 answer of b"],
    },
    {
      name: "one that is down comes behind a suspect one",
      servers: [[2, "10 answer"], [1, "10 answer"]],
      trace: ["0 ask b", "10 answer of b"],
    },
  ],
  "refused": [
    {
      name: "one refuses: the next is asked",
      servers: [["5 REFUSED"], ["10 answer"]],
      trace: ["0 ask a", "5 ask b", "15 answer of b"],
    },
    {
      name: "all refuse: the last refusal is handed on",
      servers: [["5 REFUSED"], ["10 REFUSED"]],
      trace: ["0 ask a", "5 ask b", "15 answer of b REFUSED"],
    },
    {
      name: "the only one refuses",
      servers: [["5 REFUSED"]],
      trace: ["0 ask a", "5 answer of a REFUSED"],
    },
    {
      name: "SERVFAIL is about the question: handed on",
      servers: [["5 SERVFAIL"], ["10 answer"]],
      trace: ["0 ask a", "5 answer of a SERVFAIL"],
    },
    {
      name: "one refuses and the other is silent: the client hears the refusal, soon",
      servers: [["5 REFUSED"], ["silent"]],
      settings: { resends: 0 },
      trace: ["0 ask a", "5 ask b", "1505 failed silent REFUSED: b: i/o timeout"],
    },
    {
      name: "a hedge fails while the first may still answer",
      servers: [["100 answer"], ["10 SERVFAIL"]],
      settings: { hedgeMs: 50, hedges: 1, resends: 0 },
      trace: ["0 ask a", "50 ask b", "100 answer of a"],
    },
  ],
  "silence": [
    {
      name: "a time-out, then the next",
      servers: [["silent"], ["10 answer"]],
      settings: { resends: 0 },
      trace: ["0 ask a", "2000 ask b", "2010 answer of b"],
    },
    {
      name: "five seconds in all",
      servers: [["silent"], ["silent"]],
      settings: { resends: 0 },
      trace: [
        ...["0 ask a", "2000 ask b", "4000 ask a"],
        "5000 failed silent: a: i/o timeout",
      ],
    },
    {
      name: "five seconds since the client asked",
      servers: [["silent"]],
      race: { sinceMs: -4000 },
      settings: { resends: 0 },
      trace: ["0 ask a", "1000 failed silent: a: i/o timeout"],
    },
    {
      name: "a server is found to be silent: another beside it",
      servers: [["100 suspected"], ["10 answer"]],
      settings: { resends: 0 },
      trace: ["0 ask a", "100 ask b", "110 answer of b"],
    },
    {
      name: "and the first answer wins",
      servers: [["100 suspected, 120 answer"], ["silent"]],
      settings: { resends: 0 },
      trace: ["0 ask a", "100 ask b", "120 answer of a"],
    },
    {
      name: "no third one while a healthy one may answer",
      servers: [["100 suspected"], ["300 answer"], ["silent"]],
      settings: { resends: 0 },
      trace: ["0 ask a", "100 ask b", "400 answer of b"],
    },
  ],
  "sent again": [
    {
      name: "a lost packet",
      servers: [["silent", "10 answer"]],
      trace: ["0 ask a", "100 ask a", "110 answer of a"],
    },
    {
      name: "to another server, where there is one",
      servers: [["500 answer"], ["10 answer"]],
      trace: ["0 ask a", "100 ask b", "110 answer of b"],
    },
    {
      name: "each time twice as patient, three times to a server at most",
      servers: [["silent"]],
      trace: [
        ...["0 ask a", "100 ask a", "300 ask a"],
        "2000 failed silent: a: i/o timeout",
      ],
    },
    {
      name: "never over a stream, which loses nothing",
      servers: [["silent"]],
      race: { streamed: true },
      trace: ["0 ask a", "2000 ask a", "4000 failed silent: a: i/o timeout"],
    },
    {
      name: "never without budget",
      servers: [["500 answer"]],
      settings: { resends: 0 },
      trace: ["0 ask a", "500 answer of a"],
    },
    {
      name: "as long as the budget lasts",
      servers: [["silent"]],
      settings: { resends: 1 },
      trace: [
        ...["0 ask a", "100 ask a", "2000 ask a"],
        "4000 failed silent: a: i/o timeout",
      ],
    },
  ],
  "hedging": [
    {
      name: "after a fixed time",
      servers: [["500 answer"], ["10 answer"]],
      settings: { hedgeMs: 50, hedges: 1 },
      trace: ["0 ask a", "50 ask b", "60 answer of b"],
    },
    {
      name: "after the server's usual time",
      servers: [["500 answer"], ["10 answer"]],
      settings: { hedgeMs: "auto", hedges: 1 },
      trace: ["0 ask a", "40 ask b", "50 answer of b"],
    },
    {
      name: "not without budget",
      servers: [["500 answer"], ["10 answer"]],
      settings: { hedgeMs: 50, resends: 0 },
      trace: ["0 ask a", "500 answer of a"],
    },
    {
      name: "not where the answer is in time",
      servers: [["30 answer"], ["10 answer"]],
      settings: { hedgeMs: 50, hedges: 1 },
      trace: ["0 ask a", "30 answer of a"],
    },
  ],
  "loops": [
    {
      name: "a server that leads into one is not asked",
      servers: [[3, "10 answer"], ["10 answer"]],
      trace: ["0 ask b", "10 answer of b"],
    },
    {
      name: "not even where the others fail",
      servers: [[3, "10 answer"], ["5 failed"]],
      trace: ["0 ask b", "5 ask b", "10 ask b", "15 failed: b: connection refused"],
    },
    {
      name: "nor where the others are down",
      servers: [[3, "10 answer"], [2, "10 answer"]],
      trace: ["0 ask b", "10 answer of b"],
    },
    {
      name: "nor where it would be asked beside a slow one",
      servers: [["900 answer"], [3, "10 answer"]],
      settings: { hedgeMs: 20, resends: 0 },
      trace: ["0 ask a", "900 answer of a"],
    },
    {
      name: "nor where the one that is asked is silent",
      servers: [["100 suspected, 300 answer"], [3, "10 answer"]],
      settings: { resends: 0 },
      trace: ["0 ask a", "300 answer of a"],
    },
    {
      name: "all lead into one",
      servers: [[3, "10 answer"], [3, "10 answer"]],
      trace: ["0 failed: no upstream answered"],
    },
    {
      name: "what may go into one does, if there is no better server",
      servers: [[3, "10 answer"], ["10 answer"]],
      race: { intoLoops: true },
      trace: ["0 ask b", "10 answer of b"],
    },
    {
      name: "what may go into one goes on to it",
      servers: [["5 REFUSED"], [3, "10 answer"]],
      race: { intoLoops: true },
      trace: ["0 ask a", "5 ask b", "15 answer of b"],
    },
    {
      name: "what is for one server goes to it, whatever it is like",
      servers: [["10 answer"], [3, "10 answer"]],
      race: { only: "b" },
      trace: ["0 ask b", "10 answer of b"],
    },
    {
      name: "what is for one server goes to it once",
      servers: [["10 answer"], ["5 failed"]],
      settings: { maxConnectAttempts: 0, hedgeMs: 1 },
      race: { only: "b" },
      trace: ["0 ask b", "5 failed: b: connection refused"],
    },
    {
      name: "what is for one server is not asked beside it",
      servers: [["10 answer"], ["100 suspected, 300 answer"]],
      race: { only: "b" },
      trace: ["0 ask b", "300 answer of b"],
    },
    {
      name: "what one server refuses is no question for others",
      servers: [["10 answer"], ["5 REFUSED"]],
      race: { only: "b" },
      trace: ["0 ask b", "5 failed REFUSED: no upstream answered"],
    },
  ],
  "all are down": [
    {
      name: "one is tried anyway",
      servers: [[2, "10 answer"], [2, "10 answer"]],
      trace: ["0 ask a", "10 answer of a"],
    },
    {
      name: "for half a second",
      servers: [[2, "silent"], [2, "silent"]],
      settings: { resends: 0 },
      trace: ["0 ask a", "500 failed silent: a: i/o timeout"],
    },
    {
      name: "none with failfast_all_unhealthy_upstreams",
      servers: [[2, "10 answer"], [2, "10 answer"]],
      settings: { failfastAllUnhealthyUpstreams: true },
      trace: ["0 failed: no healthy proxies"],
    },
  ],
};

function serversOf(servers: Row["servers"]) {
  return servers.map((entry, i) => ({
    label: "abc"[i]!,
    rank: typeof entry[0] === "number" ? entry[0] : 0,
    scripts: entry.filter((one) => typeof one === "string"),
  }));
}

/** What holds whatever happened: one end, and nothing left behind. */
function assertOver(servers: FakeServers, message: string): void {
  assert.equal(servers.ends, 1, message);
  assert.equal(servers.open, 0, message);
  assert.equal(servers.engine.timers.nextMs, Infinity, message);
}

for (const [title, rows] of Object.entries(TABLE)) {
  Deno.test(`race: ${title}`, async (t) => {
    for (const { name, servers, settings = {}, race = {}, trace } of rows) {
      await t.step(name, () => {
        const group = new FakeServers(serversOf(servers), settings);
        group.race(race);
        assert.deepEqual(group.trace, trace);
        assertOver(group, name);
      });
    }
  });
}

Deno.test("race: without a limit it rests after each round, and ends in time", () => {
  for (const script of ["cannot", "0 failed"]) {
    const group = new FakeServers(serversOf([[script], [script]]), { maxConnectAttempts: 0 });
    group.race();
    assert.deepEqual(group.trace.slice(0, 6), [
      ...["0 ask a", "0 ask b", "50 ask a", "50 ask b", "100 ask a", "100 ask b"],
    ]);
    assert.match(group.trace.at(-1)!, /^5000 failed: [ab]: /);
    assert.ok(group.asks <= 2 * 5000 / 50 + 4, `${group.asks} asks`);
    assertOver(group, script);
  }
});

Deno.test("race: a query sent again that proves to be needed costs no budget", () => {
  const group = new FakeServers(serversOf([["silent", "10 answer"]]), { resends: 1 });
  group.race();
  assert.equal(group.counts.resend, 1);
  assert.equal(group.resends.spend(group.engine.nowMs), true);
});

Deno.test("race: whatever servers do, it ends once, in time, and leaves nothing behind", () => {
  const events = ["answer", "REFUSED", "SERVFAIL", "failed", "suspected"];
  for (let seed = 1; seed <= 2000; seed++) {
    const random = seeded(seed);
    const one = <T>(values: readonly T[]): T => values[random() % values.length]!;
    const script = (): string => {
      const kind = random() % 10;
      if (kind === 0) return "cannot";
      if (kind === 1) return "silent";
      const step = () => `${one([0, 5, 50, 150, 600, 1900])} ${one(events)}`;
      return kind < 6 ? step() : `100 suspected, ${200 + random() % 2000} ${one(events)}`;
    };
    const servers = Array.from({ length: 1 + random() % 3 }, () => [
      ...random() % 4 === 0 ? [random() % 3] : [],
      ...Array.from({ length: 1 + random() % 3 }, script),
    ]);
    const limit = one([null, null, 0, 1, 5]);
    const group = new FakeServers(serversOf(servers), {
      maxConnectAttempts: limit,
      hedgeMs: one([null, "auto", 20] as const),
      hedges: random() % 3,
      resends: random() % 5,
      failover: one([[], [2]]),
      policy: one(["sequential", "random", "round_robin"] as const),
      random,
    });
    group.race({ streamed: random() % 2 === 0 });
    const said = `seed ${seed}: ${JSON.stringify(servers)}\n${group.trace.join("\n")}`;
    assertOver(group, said);
    assert.ok(Number(group.trace.at(-1)!.split(" ")[0]) <= 5000, said);
    if (limit !== 0) {
      for (const label of "abc") {
        const asks = group.trace.filter((line) => line.endsWith(`ask ${label}`)).length;
        assert.ok(asks <= 3 || (limit ?? 0) > 3, said);
      }
    }
  }
});
