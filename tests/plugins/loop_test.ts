import assert from "node:assert/strict";
import { parseName } from "../../src/dns/name.ts";
import { Memory } from "../../src/engine/memory.ts";
import { BOARD_BYTES, ProbeBoard } from "../../src/plugins/loop/board.ts";
import { NONCE_WORDS, readNonce, writeProbe } from "../../src/plugins/loop/probe_name.ts";
import { describeLoop, nameOf } from "../../src/plugins/loop/report.ts";
import { type Outcome, Schedule } from "../../src/plugins/loop/schedule.ts";
import { exchangeFor } from "../support/fake_engine.ts";
import { decode } from "../support/messages.ts";
import { seeded } from "../support/random.ts";

Deno.test("loop: what is written as a name is read back, in either case", () => {
  const random = seeded(7);
  for (const zone of [".", "example.org.", `${"a".repeat(63)}.`.repeat(3) + `${"b".repeat(27)}.`]) {
    const nonce = Uint32Array.from({ length: NONCE_WORDS }, random);
    const memory = new Memory(288);
    const length = writeProbe(memory, nonce, parseName(zone));
    const { questions } = decode(memory.bytes.slice(0, length));
    const [{ name, type }] = questions as [{ name: string; type: string }];
    assert.equal(`${name}.`, nameOf(nonce, zone));
    assert.equal(type, "HINFO");
    for (const spelled of [name, name.toUpperCase()]) {
      const read = new Uint32Array(NONCE_WORDS);
      assert.ok(readNonce(exchangeFor({ name: spelled, type: "HINFO" }), read));
      assert.deepEqual(read, nonce);
    }
  }
});

Deno.test("loop: names that are no probe's", () => {
  const hex = "0123456789abcdef";
  for (
    const name of [
      ".",
      hex,
      "www.example.org",
      `${hex}.${hex.slice(1)}.`,
      `${hex.slice(1)}.${hex}`,
      `${hex.slice(1)}g.${hex}`,
      `${hex}.${hex.slice(1)}/`,
      `${hex}${hex}.example.org`,
      `4547991504243258144.3688648895315093531`,
    ]
  ) assert.ok(!readNonce(exchangeFor({ name, type: "HINFO" }), new Uint32Array(NONCE_WORDS)), name);
});

Deno.test("loop: data planes see each other's probes on the board, and only their block's", () => {
  const buffer = new SharedArrayBuffer(BOARD_BYTES);
  const [one, two] = [new ProbeBoard(buffer), new ProbeBoard(buffer)];
  const nonce = one.post(5, seeded(1));
  assert.ok(two.isOut(nonce, 5));
  assert.ok(!two.isOut(nonce, 6));
  assert.ok(!two.isOut(nonce.map((word) => word ^ 1), 5));
  assert.ok(!one.wasSeen(nonce));
  two.markSeen(nonce);
  assert.ok(one.wasSeen(nonce));
  one.takeDown(nonce);
  assert.ok(!two.isOut(nonce, 5));
});

Deno.test("loop: a full board takes new probes all the same", () => {
  const board = new ProbeBoard();
  const random = seeded(2);
  const nonces = Array.from({ length: 5000 }, () => board.post(1, random));
  assert.ok(board.isOut(nonces.at(-1)!, 1));
  const out = nonces.filter((nonce) => board.isOut(nonce, 1)).length;
  assert.ok(out > 900 && out <= 1024, `${out} probes`);
  for (const nonce of nonces) board.takeDown(nonce);
  const fresh = Array.from({ length: 100 }, () => board.post(1, random));
  assert.ok(fresh.every((nonce) => board.isOut(nonce, 1)));
});

Deno.test("loop: pauses between probes", () => {
  const steps = [
    { outcome: "silent", pauseMs: 1000 },
    { outcome: "unsent", pauseMs: 2000 },
    { outcome: "silent", pauseMs: 4000 },
    { outcome: "answered", pauseMs: 1000 },
    { outcome: "silent", pauseMs: 1000 },
    { outcome: "answered", pauseMs: 1000 },
    { outcome: "answered", pauseMs: 1000 },
    { outcome: "answered", pauseMs: 300_000 },
    // The next round.
    { outcome: "answered", pauseMs: 1000 },
    { news: true, outcome: "seen", pauseMs: 3000, looping: true },
    { outcome: "unsent", pauseMs: 3000, looping: true },
    { outcome: "answered", pauseMs: 1000, looping: true },
    { outcome: "silent", pauseMs: 1000, looping: true },
    { outcome: "silent", pauseMs: 1000, looping: true },
    { news: false, outcome: "seen", pauseMs: 3000, looping: true },
    ...Array(6).fill({ outcome: "silent", pauseMs: 1000, looping: true }),
    { outcome: "answered", pauseMs: 1000, looping: true },
    { outcome: "answered", pauseMs: 1000 },
  ] as { outcome: Outcome; pauseMs: number; looping?: true; news?: boolean }[];
  const schedule = new Schedule();
  steps.forEach((step, i) => {
    if ("news" in step) assert.equal(schedule.seen(), step.news);
    assert.equal(schedule.ended(step.outcome, 2), step.pauseMs, `step ${i}`);
    assert.equal(schedule.looping, "looping" in step, `step ${i}`);
  });
});

Deno.test("loop: after eight failures there is a rest", () => {
  const schedule = new Schedule();
  const pauses = Array.from({ length: 8 }, () => schedule.ended("silent", 1) / 1000);
  assert.deepEqual(pauses, [1, 2, 4, 8, 16, 30, 30, 300]);
  assert.ok(schedule.resting);
  assert.equal(schedule.ended("silent", 1), 1000);
});

Deno.test("loop: the log names upstreams, but not any number of them", () => {
  const describe = (upstreams: string[]) =>
    describeLoop({ zone: ".", upstreams, between: null, qname: "a.b." }).line;
  const all = Array.from({ length: 7 }, (_, i) => `10.0.0.${i}:53`);
  assert.match(
    describe([]),
    /^Loop detected for zone "\.": what is forwarded to the upstream comes/,
  );
  assert.match(describe(all.slice(0, 1)), /to 10\.0\.0\.0:53 comes back/);
  assert.match(
    describe(all.slice(0, 3)),
    /to 10\.0\.0\.0:53, 10\.0\.0\.1:53 or 10\.0\.0\.2:53 comes/,
  );
  assert.match(describe(all), /0\.3:53, 10\.0\.0\.4:53 or one of 2 more comes/);
});
