import assert from "node:assert/strict";
import { Address } from "../../src/dns/address.ts";
import { type FakeQuery, FakeStreams, PATIENCE_MS, READ_TIMEOUT_MS } from "./fake_streams.ts";
import { seeded } from "../support/run/random.ts";

const MINUTE_MS = 60_000;

function outcomes(queries: readonly FakeQuery[]): (string | null)[] {
  return queries.map(({ outcome }) => outcome);
}

function answerAll(streams: FakeStreams): void {
  while (streams.layout.some((names) => names !== "")) {
    for (const stream of [...streams.streams]) {
      if (stream.state !== "open") continue;
      for (const { name } of [...stream.unanswered]) streams.answerOn(stream, name);
    }
    streams.run(1);
  }
}

/** Asserts that every query has ended, without open streams or timers. */
function assertOver(streams: FakeStreams, message = "at the end"): void {
  streams.run(READ_TIMEOUT_MS);
  assert.deepEqual(streams.queries.filter(({ outcome }) => outcome === null), [], message);
  streams.connections.retire();
  streams.run(15_000);
  assert.equal(streams.connections.size, 0, message);
  assert.equal(streams.open, 0, message);
  assert.ok(streams.idle, message);
}

function test(
  title: string,
  run: (streams: FakeStreams) => void,
  options: ConstructorParameters<typeof FakeStreams>[0] = {},
): void {
  Deno.test(title, () => {
    const streams = new FakeStreams(options);
    run(streams);
    assertOver(streams);
  });
}

test("the idle connection that was used last is used first", (streams) => {
  streams.ask("a", "b");
  assert.deepEqual(streams.layout, ["a", "b"]);
  streams.answer("b", "a");
  streams.ask("c");
  assert.deepEqual(streams.layout, ["c", ""]);
  streams.ask("d");
  assert.deepEqual(streams.layout, ["c", "d"]);
  streams.answer("c", "d");
});

test("the number of handshakes is limited, and no query fails because of that", (streams) => {
  streams.accepting = false;
  const names = Array.from({ length: 12 }, (_, i) => `n${i}`);
  const queries = streams.ask(...names);
  assert.equal(streams.streams.length, 2);
  streams.accepting = true;
  streams.run(1);
  queries.push(...streams.ask("m0", "m1", "m2"));
  assert.ok(streams.streams.length <= 4);
  answerAll(streams);
  assert.deepEqual(outcomes(queries), queries.map(() => "answered"));
}, { max: 16, maxHandshakes: 2 });

Deno.test("a query that cannot be sent because TLS is busy fails alone, and its connection stays open", () => {
  const why = "too much is under way to upstreams over TLS";
  const streams = new FakeStreams({ max: 1 });
  streams.ask("a");
  streams.busy = true;
  const queries = streams.ask("b", "c");
  assert.deepEqual(outcomes(queries), [why, why]);
  streams.busy = false;
  queries.push(...streams.ask("d"));
  assert.deepEqual(streams.layout, ["a d"]);
  streams.answer("a", "d");
  const fresh = new FakeStreams({ max: 1 });
  fresh.accepting = false;
  const early = fresh.ask("e", "f");
  fresh.busy = true;
  fresh.accepting = true;
  fresh.run(1);
  assert.deepEqual(outcomes(early), [why, why]);
  fresh.busy = false;
  const late = fresh.ask("g");
  fresh.answer("g");
  assert.deepEqual(outcomes(late), ["answered"]);
  assert.deepEqual([streams.unsent, fresh.unsent, fresh.streams.length], [2, 2, 1]);
  assertOver(streams);
  assertOver(fresh);
});

test("a query cancelled while another fails as busy does not fail as well", (streams) => {
  streams.accepting = false;
  const [first, second] = streams.ask("a", "b");
  first!.failed = ({ why }) => {
    streams.cancel(second!);
    first!.end(why);
  };
  streams.busy = true;
  streams.accepting = true;
  streams.run(1);
  assert.equal(second!.outcome, "cancelled");
}, { max: 1 });

test("a query that cannot move because TLS is busy stays on its connection", (streams) => {
  const queries = streams.ask("a", "b", "c");
  assert.deepEqual(streams.layout, ["a", "b c"]);
  streams.answer("a");
  streams.busy = true;
  streams.run(3 * PATIENCE_MS);
  assert.ok(streams.unsent > 0, "nothing was to move");
  assert.deepEqual(outcomes(queries).filter((outcome) => outcome !== "answered"), [null, null]);
  streams.busy = false;
  answerAll(streams);
  assert.deepEqual(outcomes(queries), ["answered", "answered", "answered"]);
}, { max: 2 });

test("queries get separate connections up to the bound, then share them", (streams) => {
  streams.ask("a", "b", "c");
  assert.deepEqual(streams.layout, ["a", "b", "c"]);
  streams.ask("d", "e");
  assert.deepEqual(streams.layout.map((names) => names.split(" ").length).sort(), [1, 2, 2]);
  streams.answer("a", "b", "c", "d", "e");
}, { max: 3 });

test("at most four queries share a connection to a server that answers in order", (streams) => {
  streams.ask("a", "b", "c", "d", "e", "f");
  assert.deepEqual(streams.layout, ["a b c d"]);
  streams.answer("a");
  assert.deepEqual(streams.layout, ["b c d e"]);
  streams.answer("b", "c", "d", "e", "f");
}, { max: 1 });

test("once a server has answered out of order, queries share a connection", (streams) => {
  streams.ask("a", "b", "c");
  assert.deepEqual(streams.layout.filter((names) => names !== "").length, 2);
  const shared = streams.streams.find(({ unanswered }) => unanswered.length === 2)!;
  streams.answerOn(shared, shared.unanswered[1]!.name);
  answerAll(streams);
  streams.run(11_000);
  streams.ask("d", "e", "f");
  assert.deepEqual(streams.layout, ["d e f"]);
  streams.answer("f", "e", "d");
}, { max: 2 });

Deno.test("DNS over HTTPS: queries share a connection from the start", () => {
  const http = "POST" as const;
  const tls = { serverName: "", certFile: null, keyFile: null, caFile: null, http };
  const endpoint = { address: new Address(), scope: "", source: null, tls };
  const streams = new FakeStreams({ endpoint });
  streams.ask("a", "b", "c");
  assert.deepEqual(streams.layout, ["a b c"]);
  streams.answer("c", "b", "a");
  assertOver(streams);
});

test("a query is never sent after a late one on the same connection", (streams) => {
  streams.ask("slow");
  streams.run(PATIENCE_MS);
  streams.ask("a");
  assert.deepEqual(streams.layout, ["slow", "a"]);
  streams.ask("b");
  assert.deepEqual(streams.layout, ["slow", "a b"]);
  streams.answer("a", "b", "slow");
}, { max: 2 });

test("at the bound a late query gives up its connection, and is sent again last", (streams) => {
  const [slow] = streams.ask("slow") as [FakeQuery];
  streams.run(PATIENCE_MS);
  const fast = streams.ask("a", "b");
  assert.deepEqual(streams.layout, ["a b"]);
  streams.answer("a", "b");
  assert.deepEqual(outcomes(fast), ["answered", "answered"]);
  assert.deepEqual(streams.layout, ["slow"]);
  assert.equal(slow.outcome, null);
  streams.answer("slow");
  assert.equal(slow.outcome, "answered");
  assert.equal(streams.streams.length, 2);
}, { max: 1 });

test("a query stuck behind a late one moves to a free connection", (streams) => {
  streams.ask("a", "slow", "stuck");
  const behind = streams.layout.find((names) => names.includes(" "))!;
  // The free connection lets the other's second query overtake its first.
  streams.answer(behind === "slow stuck" ? "a" : "slow");
  streams.run(2 * PATIENCE_MS);
  assert.equal(streams.layout.filter((names) => names.split(" ").includes("stuck")).length, 2);
  streams.answer("stuck");
  assert.equal(streams.queries[2]!.outcome, "answered");
  // The first connection owes two answers; the unneeded one is ignored.
  answerAll(streams);
  assert.ok(streams.late >= 1);
}, { max: 2 });

test("a query that moved is answered once, by the faster connection", (streams) => {
  streams.ask("a", "b", "c");
  const [stuck] = streams.streams.filter(({ unanswered }) => unanswered.length === 2);
  const [first, second] = stuck!.unanswered.map(({ name }) => name) as [string, string];
  const other = streams.streams.find((stream) => stream !== stuck)!;
  streams.answerOn(other, other.unanswered[0]!.name);
  streams.run(PATIENCE_MS);
  // The server might not serve the connection at all, so the first one moves as well.
  assert.deepEqual(other.unanswered.map(({ name }) => name), [first, second]);
  streams.answerOn(stuck!, first);
  streams.answerOn(stuck!, second);
  assert.deepEqual(outcomes(streams.queries), ["answered", "answered", "answered"]);
  streams.answerOn(other, first);
  streams.answerOn(other, second);
  assert.equal(streams.late, 2);
}, { max: 2 });

Deno.test("queries on a connection that closes are sent again on another", () => {
  for (const reset of [false, true]) {
    const streams = new FakeStreams();
    const [a] = streams.ask("a") as [FakeQuery];
    streams.answer("a");
    const [b] = streams.ask("b") as [FakeQuery];
    streams.end(streams.streams[0]!, reset);
    streams.run(1);
    assert.deepEqual(streams.layout, ["b"]);
    streams.answer("b");
    assert.deepEqual(outcomes([a, b]), ["answered", "answered"]);
    assertOver(streams);
  }
});

test("if a server closes every connection unanswered, the query fails after few attempts", (streams) => {
  const [a] = streams.ask("a") as [FakeQuery];
  streams.end(streams.streams[0]!, true);
  streams.run(1);
  assert.equal(a.outcome, "connection closed");
  assert.ok(streams.streams.length <= 2);
});

test("single use: closing after one answer is detected, and forgotten later", (streams) => {
  for (const names of [["a", "b"], ["c", "d"]]) {
    streams.ask(...names);
    const [stream] = streams.streams.filter(({ state }) => state === "open");
    streams.answerOn(stream!, stream!.unanswered[0]!.name);
    streams.end(stream!);
    streams.run(1);
    answerAll(streams);
    streams.run(11_000);
  }
  assert.deepEqual(new Set(outcomes(streams.queries)), new Set(["answered"]));
  const before = streams.streams.length;
  for (const name of ["e", "f", "g"]) {
    streams.ask(name);
    streams.answer(name);
    streams.run(1);
    assert.equal(streams.open, 0, "closed behind its answer");
  }
  assert.equal(streams.streams.length, before + 3);
  streams.run(10 * MINUTE_MS);
  for (const name of ["h", "i", "j"]) {
    streams.ask(name);
    streams.answer(name);
  }
  assert.equal(streams.streams.length, before + 4, "connections are kept again");
}, { max: 1 });

test("single use: a server that ignores second queries is detected over another connection", (streams) => {
  streams.ask("a");
  streams.answer("a");
  streams.ask("b");
  assert.deepEqual(streams.layout, ["b"]);
  streams.run(2 * PATIENCE_MS);
  assert.deepEqual(streams.layout, ["b", "b"]);
  streams.answer("b");
  assert.deepEqual(outcomes(streams.queries), ["answered", "answered"]);
  for (const name of ["c", "d", "e"]) {
    streams.ask(name);
    const stream = streams.streams.at(-1)!;
    assert.deepEqual(stream.unanswered.map((one) => one.name), [name]);
    streams.answerOn(stream, name);
  }
});

test("single use: detected from late queries that were sent again", (streams) => {
  streams.ask("a", "b", "c");
  answerAll(streams);
  // After many answers on a connection, it answers only the first of each.
  const answeredOn = new Set(streams.streams);
  for (let i = 0; i < 60; i++) {
    streams.ask(`n${i}`);
    for (let ms = 0; ms < 50; ms += 10) {
      for (const stream of streams.streams) {
        const [first] = stream.unanswered;
        if (stream.state !== "open" || first === undefined || answeredOn.has(stream)) continue;
        answeredOn.add(stream);
        streams.answerOn(stream, first.name);
      }
      streams.run(10);
    }
  }
  const last = streams.queries.slice(-20, -2);
  assert.deepEqual(new Set(outcomes(last)), new Set(["answered"]));
  assert.deepEqual(streams.layout.filter((names) => names.includes(" ")), []);
}, { max: 2 });

test("a server's connection limit is detected, and forgotten after a minute", (streams) => {
  streams.ask("a", "b");
  streams.answerOn(streams.streams[0]!, "a");
  streams.run(2 * PATIENCE_MS);
  assert.ok(streams.streams[0]!.unanswered.some(({ name }) => name === "b"), "b has moved");
  streams.answerOn(streams.streams[0]!, "b");
  assert.deepEqual(outcomes(streams.queries), ["answered", "answered"]);
  streams.ask("c", "d");
  // The unserved connection stays for a while, in case it is served later.
  assert.deepEqual(streams.layout.filter((names) => names !== ""), ["c d", "b"]);
  streams.answer("c", "d");
  streams.run(READ_TIMEOUT_MS + PATIENCE_MS);
  assert.equal(streams.open, 1);
  streams.run(MINUTE_MS);
  streams.ask("e", "f");
  assert.deepEqual(streams.layout.filter((names) => names !== ""), ["e", "f"]);
  streams.answer("e", "f");
}, { max: 4 });

test("a server that serves a connection late is not assumed to have a limit", (streams) => {
  streams.ask("a", "b");
  streams.answerOn(streams.streams[0]!, "a");
  streams.run(2 * PATIENCE_MS);
  streams.answerOn(streams.streams[0]!, "b");
  streams.answerOn(streams.streams[1]!, "b");
  assert.equal(streams.late, 1);
  streams.ask("c", "d", "e");
  assert.deepEqual(streams.layout.sort(), ["c", "d", "e"]);
  // Queries wait there also in the next minute.
  streams.answer("c", "d");
  streams.run(2 * PATIENCE_MS);
  assert.deepEqual(streams.layout.sort(), ["", "", "e"]);
  streams.answer("e");
}, { max: 4 });

test("a server that resets connections beyond its limit is detected without waiting", (streams) => {
  streams.ask("a", "b");
  streams.end(streams.streams[1]!, true);
  streams.run(1);
  streams.answer("a");
  streams.run(1);
  streams.answer("b");
  assert.deepEqual(outcomes(streams.queries), ["answered", "answered"]);
  const { length } = streams.streams;
  streams.ask("c", "d");
  streams.answer("c", "d");
  assert.equal(streams.streams.length, length);
}, { max: 4 });

test("a query that times out does not close a connection with other queries", (streams) => {
  streams.ask("a", "b", "c");
  streams.answer("b");
  assert.equal(streams.queries[1]!.outcome, "answered");
  streams.cancel(streams.queries[0]!, true);
  assert.deepEqual(streams.layout, ["a c"]);
  assert.equal(streams.queries[2]!.outcome, null);
  streams.answer("c");
}, { max: 1 });

test("a connection is closed if its only query times out in silence", (streams) => {
  streams.ask("a");
  streams.run(READ_TIMEOUT_MS);
  assert.deepEqual(outcomes(streams.queries), ["timed out"]);
  assert.equal(streams.open, 0);
});

test("retired connections finish outstanding queries and take no new ones", (streams) => {
  streams.ask("a", "b");
  streams.answer("b");
  streams.connections.retire();
  streams.run(1);
  assert.deepEqual(streams.layout, ["a"]);
  streams.answer("a");
  assert.deepEqual(outcomes(streams.queries), ["answered", "answered"]);
  streams.run(1);
  assert.equal(streams.open, 0);
});

Deno.test("connections are closed when idle or old, and if too many are idle", () => {
  const idle = new FakeStreams({ expireMs: 1000 });
  idle.ask("a");
  idle.answer("a");
  idle.run(900);
  assert.equal(idle.open, 1);
  idle.run(200);
  assert.equal(idle.open, 0);
  assertOver(idle);

  const old = new FakeStreams({ expireMs: 1000, maxAgeMs: 3000 });
  for (let i = 0; i < 40; i++) {
    old.ask(`n${i}`);
    old.answer(`n${i}`);
    old.run(99);
  }
  assert.equal(old.streams.length, 2);
  assertOver(old);

  const many = new FakeStreams({ maxIdleConns: 2 });
  many.ask("a", "b", "c", "d");
  many.answer("a", "b", "c", "d");
  many.run(1);
  assert.equal(many.open, 2);
  assertOver(many);
});

Deno.test("a query fails if its server is unreachable or does not accept", () => {
  const refusing = new FakeStreams();
  refusing.refusing = true;
  refusing.ask("a");
  assert.deepEqual(outcomes(refusing.queries), ["cannot connect"]);
  assertOver(refusing);

  const silent = new FakeStreams();
  silent.accepting = false;
  silent.ask("a");
  silent.run(1000);
  assert.deepEqual(outcomes(silent.queries), ["connecting took too long"]);
  assertOver(silent);
});

test("at most 4096 queries wait for a connection", (streams) => {
  streams.ask(...Array.from({ length: 4 + 4096 + 1 }, (_, i) => `n${i}`));
  const failed = streams.queries.filter(({ outcome }) => outcome !== null);
  assert.deepEqual(outcomes(failed), ["too many queries wait to connect"]);
  assert.equal(failed[0], streams.queries.at(-1));
}, { max: 1 });

test("queries wait for a slow handshake and are then sent", (streams) => {
  streams.accepting = false;
  streams.ask("a", "b");
  streams.run(PATIENCE_MS / 2);
  streams.accepting = true;
  streams.run(1);
  assert.deepEqual(streams.layout, ["a", "b"]);
  streams.answer("a", "b");
}, { max: 2 });

test("unexpected messages are counted, and too many close the connection", (streams) => {
  streams.ask("a");
  const [stream] = streams.streams;
  const stray = stream!.unanswered[0]!.frame.slice();
  stray[2]! ^= 0xff;
  for (let i = 0; i < 15; i++) streams.send(stream!, stray);
  assert.equal(streams.late, 15);
  streams.answer("a");
  assert.deepEqual(outcomes(streams.queries), ["answered"]);
  streams.send(stream!, stray);
  assert.equal(streams.open, 0);
});

Deno.test("whatever a server does with connections, every query ends once and nothing is left behind", () => {
  for (let seed = 1; seed <= 300; seed++) {
    const random = seeded(seed);
    const streams = new FakeStreams({
      max: 1 + random() % 5,
      maxIdleConns: random() % 3,
      maxAgeMs: random() % 2 === 0 ? 0 : 2000,
      random,
    });
    const habits = {
      silent: random() % 8,
      resets: random() % 5,
      ends: random() % 5,
      outOfOrder: random() % 2,
    };
    for (let step = 0; step < 200; step++) {
      streams.accepting = random() % 20 !== 0;
      if (random() % 3 === 0) streams.ask(`n${step}`);
      const open = streams.streams.filter(({ state }) => state === "open");
      const stream = open[random() % (open.length || 1)];
      if (stream !== undefined) {
        const { unanswered } = stream;
        const place = habits.outOfOrder === 1 ? random() % (unanswered.length || 1) : 0;
        const dice = random() % 100;
        if (dice < habits.resets) streams.end(stream, true);
        else if (dice < habits.resets + habits.ends) streams.end(stream);
        else if (unanswered[place] !== undefined && dice > 100 - 10 * habits.silent) {
          // The server is silent this time.
        } else if (unanswered[place] !== undefined) {
          streams.answerOn(stream, unanswered[place]!.name);
        }
      }
      const waiting = streams.queries.find(({ outcome }) => outcome === null);
      if (waiting !== undefined && random() % 40 === 0) streams.cancel(waiting);
      streams.run(random() % 120);
      assert.ok(streams.open <= 5 + 64, `seed ${seed}: ${streams.open} streams`);
    }
    streams.accepting = true;
    assertOver(streams, `seed ${seed}`);
  }
});

test("a stuck query moves as soon as it is late, however the timer was set", (streams) => {
  streams.ask("a");
  streams.run(PATIENCE_MS / 2);
  streams.answer("a");
  // The first query's connection is free again when the second is late.
  streams.ask("b", "stuck");
  streams.answer("b");
  const copies = () => streams.layout.filter((names) => names === "stuck").length;
  streams.run(PATIENCE_MS - 2);
  assert.equal(copies(), 1);
  streams.run(4);
  assert.equal(copies(), 2);
  streams.answer("stuck");
  answerAll(streams);
}, { max: 2 });
