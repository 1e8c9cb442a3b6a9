import assert from "node:assert/strict";
import type { RaceSettings } from "../../src/upstream/race/types.ts";
import { FakeServers, type RaceOptions } from "./fake_servers.ts";
import { seeded } from "../support/run/random.ts";

/**
 * Name; the servers `a / b / …`, each with the results of its asks (`first | second`) and a state
 * if it is not healthy; the expected trace.
 */
type Row = readonly [
  name: string,
  servers: string,
  trace: string,
  options?: {
    settings?: Partial<RaceSettings> & { hedges?: number; resends?: number };
    race?: RaceOptions;
  },
];

const TABLE: Readonly<Record<string, readonly Row[]>> = {
  "failover": [
    ["the first answers", "10 answer / silent", "0 ask a; 10 answer of a"],
    ["the first cannot be asked", "cannot / 10 answer", "0 ask a; 0 ask b; 10 answer of b"],
    ["the first fails", "5 failed / 10 answer", "0 ask a; 5 ask b; 15 answer of b"],
    [
      "all fail: two rounds",
      "5 failed / 5 failed",
      "0 ask a; 5 ask b; 10 ask a; 15 ask b; 20 failed: b: connection refused",
    ],
    [
      "max_connect_attempts limits the attempts",
      "5 failed / 10 answer",
      "0 ask a; 5 failed: a: connection refused",
      { settings: { maxConnectAttempts: 1 } },
    ],
    ["a response code of failover", "5 SERVFAIL / 10 answer", "0 ask a; 5 ask b; 15 answer of b", {
      settings: { failover: [2] },
    }],
    ["a suspect server comes last", "suspect: 10 answer / 10 answer", "0 ask b; 10 answer of b"],
    [
      "a server that is down comes after a suspect one",
      "down: 10 answer / suspect: 10 answer",
      "0 ask b; 10 answer of b",
    ],
  ],
  "refused": [
    ["one refuses: the next is asked", "5 REFUSED / 10 answer", "0 ask a; 5 ask b; 15 answer of b"],
    [
      "all refuse: the last refusal is passed on",
      "5 REFUSED / 10 REFUSED",
      "0 ask a; 5 ask b; 15 answer of b REFUSED",
    ],
    ["the only one refuses", "5 REFUSED", "0 ask a; 5 answer of a REFUSED"],
    [
      "SERVFAIL is about the question: passed on",
      "5 SERVFAIL / 10 answer",
      "0 ask a; 5 answer of a SERVFAIL",
    ],
    [
      "one refuses and the other is silent: the refusal is passed on soon",
      "5 REFUSED / silent",
      "0 ask a; 5 ask b; 1505 failed silent REFUSED: b: i/o timeout",
      { settings: { resends: 0 } },
    ],
    [
      "one refuses: it is not asked again once the other has used up its attempts",
      "5 REFUSED / 5 failed",
      "0 ask a; 5 ask b; 10 ask b; 15 ask b; 20 failed REFUSED: b: connection refused",
      { settings: { maxConnectAttempts: 6 } },
    ],
    [
      "a hedge fails while the first may still answer",
      "100 answer / 10 SERVFAIL",
      "0 ask a; 50 ask b; 100 answer of a",
      { settings: { hedgeMs: 50, hedges: 1, resends: 0 } },
    ],
  ],
  "silence": [
    [
      "after a timeout the next is asked",
      "silent / 10 answer",
      "0 ask a; 2000 ask b; 2010 answer of b",
      { settings: { resends: 0 } },
    ],
    [
      "fails after five seconds",
      "silent / silent",
      "0 ask a; 2000 ask b; 4000 ask a; 5000 failed silent: a: i/o timeout",
      { settings: { resends: 0 } },
    ],
    [
      "fails five seconds after the client asked",
      "silent",
      "0 ask a; 1000 failed silent: a: i/o timeout",
      { settings: { resends: 0 }, race: { sinceMs: -4000 } },
    ],
    [
      "a suspect server: another is asked beside it",
      "100 suspected / 10 answer",
      "0 ask a; 100 ask b; 110 answer of b",
      { settings: { resends: 0 } },
    ],
    [
      "a suspect server: the first answer wins",
      "100 suspected, 120 answer / silent",
      "0 ask a; 100 ask b; 120 answer of a",
      { settings: { resends: 0 } },
    ],
    [
      "no third server while a healthy one may answer",
      "100 suspected / 300 answer / silent",
      "0 ask a; 100 ask b; 400 answer of b",
      { settings: { resends: 0 } },
    ],
  ],
  "sent again": [
    ["a lost query is sent again", "silent | 10 answer", "0 ask a; 100 ask a; 110 answer of a"],
    [
      "to another server if there is one",
      "500 answer / 10 answer",
      "0 ask a; 100 ask b; 110 answer of b",
    ],
    [
      "with doubled patience, at most three times to a server",
      "silent",
      "0 ask a; 100 ask a; 300 ask a; 2000 failed silent: a: i/o timeout",
    ],
    [
      "not over a stream, which loses nothing",
      "silent",
      "0 ask a; 2000 ask a; 4000 failed silent: a: i/o timeout",
      { race: { streamed: true } },
    ],
    ["not without budget", "500 answer", "0 ask a; 500 answer of a", { settings: { resends: 0 } }],
    [
      "until the budget is spent",
      "silent",
      "0 ask a; 100 ask a; 2000 ask a; 4000 failed silent: a: i/o timeout",
      { settings: { resends: 1 } },
    ],
  ],
  "hedging": [
    ["after a fixed time", "500 answer / 10 answer", "0 ask a; 50 ask b; 60 answer of b", {
      settings: { hedgeMs: 50, hedges: 1 },
    }],
    [
      "after the server's usual time",
      "500 answer / 10 answer",
      "0 ask a; 40 ask b; 50 answer of b",
      { settings: { hedgeMs: "auto", hedges: 1 } },
    ],
    ["not without budget", "500 answer / 10 answer", "0 ask a; 500 answer of a", {
      settings: { hedgeMs: 50, resends: 0 },
    }],
    ["not if the answer is in time", "30 answer / 10 answer", "0 ask a; 30 answer of a", {
      settings: { hedgeMs: 50, hedges: 1 },
    }],
  ],
  "loops": [
    ["a looping server is not asked", "looping: 10 answer / 10 answer", "0 ask b; 10 answer of b"],
    [
      "a looping server is not asked if the others fail",
      "looping: 10 answer / 5 failed",
      "0 ask b; 5 ask b; 10 ask b; 15 failed: b: connection refused",
    ],
    [
      "a looping server is not asked if the others are down",
      "looping: 10 answer / down: 10 answer",
      "0 ask b; 10 answer of b",
    ],
    [
      "a looping server is not asked beside a slow one",
      "900 answer / looping: 10 answer",
      "0 ask a; 900 answer of a",
      { settings: { hedgeMs: 20, resends: 0 } },
    ],
    [
      "a looping server is not asked if the other is silent",
      "100 suspected, 300 answer / looping: 10 answer",
      "0 ask a; 300 answer of a",
      { settings: { resends: 0 } },
    ],
    [
      "all servers loop: none is asked",
      "looping: 10 answer / looping: 10 answer",
      "0 failed: no upstream answered",
    ],
    [
      "a query that may loop prefers other servers",
      "looping: 10 answer / 10 answer",
      "0 ask b; 10 answer of b",
      { race: { intoLoops: true } },
    ],
    [
      "a query that may loop fails over to a looping server",
      "5 REFUSED / looping: 10 answer",
      "0 ask a; 5 ask b; 15 answer of b",
      { race: { intoLoops: true } },
    ],
    [
      "a query for one server is sent in any state",
      "10 answer / looping: 10 answer",
      "0 ask b; 10 answer of b",
      { race: { only: "b" } },
    ],
    [
      "a query for one server is sent once",
      "10 answer / 5 failed",
      "0 ask b; 5 failed: b: connection refused",
      { settings: { maxConnectAttempts: 0, hedgeMs: 1 }, race: { only: "b" } },
    ],
    [
      "a query for one server is sent to no other",
      "10 answer / 100 suspected, 300 answer",
      "0 ask b; 300 answer of b",
      { race: { only: "b" } },
    ],
    [
      "a query for one server does not fail over",
      "10 answer / 5 REFUSED",
      "0 ask b; 5 failed REFUSED: no upstream answered",
      { race: { only: "b" } },
    ],
  ],
  "out of service": [
    ["a server that is out is not asked", "out: 10 answer / 10 answer", "0 ask b; 10 answer of b"],
    [
      "a server that is out is not asked if the others are down",
      "out: 10 answer / down: 5 failed",
      "0 ask b; 5 ask b; 10 ask b; 15 failed: b: connection refused",
    ],
    [
      "a server that is out is not asked beside a slow one",
      "900 answer / out: 10 answer",
      "0 ask a; 900 answer of a",
      { settings: { hedgeMs: 20, resends: 0 } },
    ],
    [
      "a query that may loop is not sent to a server that is out",
      "out: 10 answer / looping: 10 answer",
      "0 ask b; 10 answer of b",
      { race: { intoLoops: true } },
    ],
    ["all are out: none is asked", "out: 10 answer", "0 failed: no upstream answered"],
  ],
  "all are down": [
    ["one is tried anyway", "down: 10 answer / down: 10 answer", "0 ask a; 10 answer of a"],
    [
      "for half a second",
      "down: silent / down: silent",
      "0 ask a; 500 failed silent: a: i/o timeout",
      { settings: { resends: 0 } },
    ],
    [
      "failfast_all_unhealthy_upstreams asks none",
      "down: 10 answer / down: 10 answer",
      "0 failed: no healthy proxies",
      { settings: { failfastAllUnhealthyUpstreams: true } },
    ],
  ],
};

const STATES = ["", "suspect", "down", "looping", "out"];

function serversOf(servers: string) {
  return servers.split(" / ").map((entry, i) => {
    const [, state = "", scripts] = /^(?:(\w+): )?(.*)$/.exec(entry)!;
    return { label: "abc"[i]!, rank: STATES.indexOf(state), scripts: scripts!.split(" | ") };
  });
}

function assertOver(servers: FakeServers, message: string): void {
  assert.equal(servers.ends, 1, message);
  assert.equal(servers.open, 0, message);
  assert.equal(servers.engine.timers.nextMs, Infinity, message);
}

for (const [title, rows] of Object.entries(TABLE)) {
  Deno.test(`race: ${title}`, async (t) => {
    for (const [name, servers, trace, { settings = {}, race = {} } = {}] of rows) {
      await t.step(name, () => {
        const group = new FakeServers(serversOf(servers), settings);
        group.race(race);
        assert.deepEqual(group.trace, trace.split("; "));
        assertOver(group, name);
      });
    }
  });
}

const LOST: { title: string; servers: string; lost: string[] }[] = [
  { title: "nothing of the server that answers", servers: "10 answer / silent", lost: [] },
  {
    title: "failed over from a server that fails",
    servers: "5 failed / 10 answer",
    lost: ["a failed over"],
  },
  {
    title: "failed over from a server that was outpaced",
    servers: "100 suspected, 300 answer / 10 answer",
    lost: ["a failed over"],
  },
  {
    title: "failed, once at each server, though each was asked twice",
    servers: "5 failed / 5 failed",
    lost: ["a failed", "b failed"],
  },
  {
    title: "failed over from a server that cannot be asked",
    servers: "cannot / 10 answer",
    lost: ["a failed over"],
  },
];
for (const { title, servers, lost } of LOST) {
  Deno.test(`race: the query counts as ${title}`, () => {
    const group = new FakeServers(serversOf(servers), {});
    group.race();
    assert.deepEqual(group.lost, lost);
  });
}
Deno.test("race: tells how many queries it took, and counts those beside others", () => {
  const hedge = { hedgeMs: 50, hedges: 1, resends: 0 };
  for (
    const [servers, told, extras, settings = {}] of [
      ["10 answer", "1 asks", ""],
      ["cannot / 10 answer", "1 asks", ""],
      ["5 failed / 10 answer", "2 asks", ""],
      ["5 failed / 5 failed", "4 asks", ""],
      ["silent | 10 answer", "2 asks", "resends a"],
      ["500 answer / 10 answer", "2 asks", "resends b"],
      ["500 answer / 10 answer", "2 asks, hedged", "hedges b, hedgesWon b", hedge],
      ["100 answer / 90 answer", "2 asks, hedged", "hedges b", hedge],
      ["30 answer / 10 answer", "1 asks", "", hedge],
    ] as const
  ) {
    const group = new FakeServers(serversOf(servers), settings);
    group.race();
    assert.deepEqual([group.told, group.extras.join(", ")], [told, extras], servers);
  }
});

Deno.test("race: a server that is taken out is not asked again", () => {
  const group = new FakeServers(serversOf("silent"), {});
  group.engine.timers.set(group.engine.timers.create(() => group.servers[0]!.rank = 4), 50);
  group.race();
  assert.deepEqual(group.trace, ["0 ask a", "2000 failed silent: a: i/o timeout"]);
});

Deno.test("race: unlimited attempts pause after each round and end in time", () => {
  for (const script of ["cannot", "0 failed"]) {
    const group = new FakeServers(serversOf(`${script} / ${script}`), { maxConnectAttempts: 0 });
    group.race();
    assert.deepEqual(group.trace.slice(0, 6), [
      ...["0 ask a", "0 ask b", "50 ask a", "50 ask b", "100 ask a", "100 ask b"],
    ]);
    assert.match(group.trace.at(-1)!, /^5000 failed: [ab]: /);
    assert.ok(group.asks <= 2 * 5000 / 50 + 4, `${group.asks} asks`);
    assertOver(group, script);
  }
});

Deno.test("race: a useful resend costs no budget", () => {
  const group = new FakeServers(serversOf("silent | 10 answer"), { resends: 1 });
  group.race();
  assert.equal(group.counts.resend, 1);
  assert.equal(group.resends.spend(group.engine.nowMs), true);
});

Deno.test("race: it ends once, in time, and leaves nothing behind, whatever servers do", () => {
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
    const servers = Array.from({ length: 1 + random() % 3 }, () => {
      const state = random() % 4 === 0 ? STATES[random() % 3]! : "";
      const scripts = Array.from({ length: 1 + random() % 3 }, script).join(" | ");
      return state === "" ? scripts : `${state}: ${scripts}`;
    }).join(" / ");
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
    const said = `seed ${seed}: ${servers}\n${group.trace.join("\n")}`;
    assertOver(group, said);
    assert.deepEqual(group.askedInVain, [], said);
    assert.ok(Number(group.trace.at(-1)!.split(" ")[0]) <= 5000, said);
    if (limit !== 0) {
      for (const label of "abc") {
        const asks = group.trace.filter((line) => line.endsWith(`ask ${label}`)).length;
        assert.ok(asks <= 3 || (limit ?? 0) > 3, said);
      }
    }
  }
});
