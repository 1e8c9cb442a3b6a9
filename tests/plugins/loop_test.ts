import assert from "node:assert/strict";
import { Memory } from "../../src/engine/memory.ts";
import { BOARD_BYTES, ProbeBoard, RETURNED } from "../../src/plugins/loop/board.ts";
import { NONCE_WORDS } from "../../src/plugins/loop/options.ts";
import { nameOf, probeQuery, readNonce } from "../../src/plugins/loop/probe_name.ts";
import { type Outcome, type Reaction, Watch } from "../../src/plugins/loop/watch.ts";
import { exchangeFor } from "../support/engine/fake_engine.ts";
import { decode } from "../support/messages/messages.ts";
import { seeded } from "../support/run/random.ts";

Deno.test("loop: a probe's name is recognized in either case", () => {
  const random = seeded(7);
  for (const zone of [".", "example.org.", `${"a".repeat(63)}.`.repeat(3) + `${"b".repeat(27)}.`]) {
    const nonce = Uint32Array.from({ length: NONCE_WORDS }, random);
    const { memory, length } = probeQuery({ nonce, mark: new Uint32Array(2) }, zone);
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

Deno.test("loop: other names are not recognized", () => {
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

type Boards = [ProbeBoard, ProbeBoard, ProbeBoard];

function marked(words: ArrayLike<number>): [Memory, number] {
  const memory = new Memory(32);
  Array.from(words).forEach((word, i) => memory.view.setUint32(4 + 4 * i, word));
  return [memory, 4];
}

Deno.test("loop: data planes see each other's probes, only of the same block", () => {
  const buffer = new SharedArrayBuffer(BOARD_BYTES);
  const [one, two, other] = [5, 5, 6].map((key) => new ProbeBoard(key, buffer)) as Boards;
  const { nonce, mark } = one.post(seeded(1));
  assert.ok(two.isOut(nonce));
  assert.ok(!other.isOut(nonce));
  assert.ok(!two.isOut(nonce.map((word) => word ^ 1)));
  assert.equal(one.returned(nonce), RETURNED.NOT);
  assert.equal(two.note(nonce, ...marked(mark)), RETURNED.NOT);
  assert.equal(one.returned(nonce), RETURNED.MARK);
  two.takeDown(nonce);
  assert.ok(!one.isOut(nonce));
});

Deno.test("loop: only a probe's own mark is recognized", () => {
  const random = seeded(4);
  const board = new ProbeBoard(5, new SharedArrayBuffer(BOARD_BYTES));
  const other = board.post(random);
  const { nonce, mark } = board.post(random);
  assert.equal(board.note(nonce, new Memory(32), 0), RETURNED.NOT);
  const forged = [other.mark, [0, 0], [mark[0]!, mark[1]! ^ 1], [mark[0]! ^ 1, mark[1]!], nonce];
  for (const words of forged) {
    assert.equal(board.note(nonce, ...marked(words)), RETURNED.NAME);
    assert.equal(board.returned(nonce), RETURNED.NAME);
  }
  board.note(nonce, ...marked(mark));
  assert.equal(board.note(nonce, new Memory(32), 0), RETURNED.MARK);
  assert.equal(board.returned(nonce), RETURNED.MARK);
  // A recorded probe is useless for the next one in the same slot.
  board.takeDown(nonce);
  const next = board.post(() => nonce[0]!);
  assert.equal(board.returned(next.nonce), RETURNED.NOT);
});

Deno.test("loop: a full board still accepts new probes", () => {
  const board = new ProbeBoard(5, new SharedArrayBuffer(BOARD_BYTES));
  const random = seeded(2);
  const nonces = Array.from({ length: 20_000 }, () => board.post(random).nonce);
  assert.ok(board.isOut(nonces.at(-1)!));
  const out = nonces.filter((nonce) => board.isOut(nonce)).length;
  assert.ok(out > 3600 && out <= 4096, `${out} probes`);
  for (const nonce of nonces) board.takeDown(nonce);
  const fresh = Array.from({ length: 400 }, () => board.post(random).nonce);
  assert.ok(fresh.every((nonce) => board.isOut(nonce)));
});

function makeWatch(): Watch {
  return new Watch({ label: "10.0.0.1:53", looping: false }, 0);
}

interface Step {
  outcome: Outcome;
  pauseMs: number;
  looping?: true;
  /** Number of probes in the next round: one, or several. */
  next: "one" | "several";
}

function play(watch: Watch, steps: readonly Step[]): void {
  const random = seeded(3);
  steps.forEach((step, i) => {
    assert.equal(watch.roundEnded(step.outcome), step.pauseMs, `step ${i}`);
    assert.equal(watch.server.looping, step.looping === true, `step ${i}`);
    const copies = Array.from({ length: 50 }, () => watch.copies(random));
    const [least, most] = step.next === "one" ? [1, 1] : [2, 4];
    assert.deepEqual([Math.min(...copies), Math.max(...copies)], [least, most], `step ${i}`);
  });
}

for (
  const [title, steps] of Object.entries({
    "no loop": [
      { outcome: "silent", pauseMs: 1000, next: "one" },
      { outcome: "unsent", pauseMs: 2000, next: "one" },
      { outcome: "silent", pauseMs: 4000, next: "one" },
      { outcome: "answered", pauseMs: 300_000, next: "one" },
      { outcome: "answered", pauseMs: 300_000, next: "one" },
      { outcome: "silent", pauseMs: 1000, next: "one" },
    ],
    "marks": [
      { outcome: "marked", pauseMs: 3000, looping: true, next: "one" },
      { outcome: "unsent", pauseMs: 3000, looping: true, next: "one" },
      { outcome: "marked", pauseMs: 3000, looping: true, next: "one" },
      { outcome: "answered", pauseMs: 300, looping: true, next: "one" },
      { outcome: "answered", pauseMs: 1000, next: "one" },
      { outcome: "answered", pauseMs: 300_000, next: "one" },
    ],
    "a loop of marks with lost rounds": [
      { outcome: "marked", pauseMs: 3000, looping: true, next: "one" },
      { outcome: "silent", pauseMs: 300, looping: true, next: "one" },
      { outcome: "marked", pauseMs: 3000, looping: true, next: "one" },
      { outcome: "answered", pauseMs: 300, looping: true, next: "one" },
      { outcome: "unsent", pauseMs: 3000, looping: true, next: "one" },
      { outcome: "marked", pauseMs: 3000, looping: true, next: "one" },
      { outcome: "silent", pauseMs: 300, looping: true, next: "one" },
      { outcome: "answered", pauseMs: 1000, next: "one" },
    ],
    "a loop of names with lost rounds": [
      { outcome: "returned", pauseMs: 300, next: "several" },
      { outcome: "returned", pauseMs: 300, next: "several" },
      { outcome: "returned", pauseMs: 3000, looping: true, next: "several" },
      { outcome: "answered", pauseMs: 300, looping: true, next: "several" },
      { outcome: "returned", pauseMs: 3000, looping: true, next: "several" },
      { outcome: "answered", pauseMs: 300, looping: true, next: "several" },
      { outcome: "returned", pauseMs: 3000, looping: true, next: "several" },
    ],
    "names, three rounds in a row": [
      { outcome: "returned", pauseMs: 300, next: "several" },
      { outcome: "returned", pauseMs: 300, next: "several" },
      { outcome: "returned", pauseMs: 3000, looping: true, next: "several" },
      { outcome: "returned", pauseMs: 3000, looping: true, next: "several" },
      { outcome: "silent", pauseMs: 300, looping: true, next: "several" },
      { outcome: "silent", pauseMs: 1000, next: "one" },
    ],
    "names that do not all return": [
      { outcome: "returned", pauseMs: 300, next: "several" },
      { outcome: "returned", pauseMs: 300, next: "several" },
      { outcome: "answered", pauseMs: 300_000, next: "one" },
      { outcome: "returned", pauseMs: 300, next: "several" },
      { outcome: "silent", pauseMs: 1000, next: "one" },
    ],
    "marks that get lost": [
      { outcome: "marked", pauseMs: 3000, looping: true, next: "one" },
      { outcome: "returned", pauseMs: 3000, looping: true, next: "several" },
      { outcome: "answered", pauseMs: 300, looping: true, next: "several" },
      { outcome: "answered", pauseMs: 1000, next: "one" },
    ],
    "a mark after names": [
      { outcome: "returned", pauseMs: 300, next: "several" },
      { outcome: "marked", pauseMs: 3000, looping: true, next: "one" },
    ],
  } as Record<string, Step[]>)
) Deno.test(`loop: pauses between rounds: ${title}`, () => play(makeWatch(), steps));

Deno.test("loop: a mark begins a loop only once", () => {
  const watch = makeWatch();
  assert.deepEqual([watch.markSeen(), watch.markSeen()], [true, false]);
  watch.roundEnded("answered");
  assert.ok(!watch.markSeen(), "one lost round does not end a loop");
  watch.roundEnded("answered");
  watch.roundEnded("answered");
  assert.ok(watch.markSeen());
});

Deno.test("loop: eight failures start a longer pause", () => {
  const watch = makeWatch();
  const pauses = Array.from({ length: 8 }, () => watch.roundEnded("silent") / 1000);
  assert.deepEqual(pauses, [1, 2, 4, 8, 16, 30, 30, 300]);
  assert.ok(watch.resting);
  assert.equal(watch.roundEnded("silent"), 1000);
});

for (
  const { ends, outcome } of [
    { ends: [["answered", RETURNED.NOT]], outcome: "answered" },
    { ends: [["silent", RETURNED.NOT]], outcome: "silent" },
    { ends: [["unsent", RETURNED.NOT]], outcome: "unsent" },
    { ends: [["silent", RETURNED.NAME]], outcome: "returned" },
    { ends: [["answered", RETURNED.MARK]], outcome: "marked" },
    { ends: [["answered", RETURNED.NAME], ["silent", RETURNED.NAME]], outcome: "returned" },
    { ends: [["answered", RETURNED.NAME], ["silent", RETURNED.NOT]], outcome: "answered" },
    { ends: [["silent", RETURNED.NOT], ["answered", RETURNED.NAME]], outcome: "answered" },
    { ends: [["unsent", RETURNED.NOT], ["silent", RETURNED.NAME]], outcome: "silent" },
    { ends: [["silent", RETURNED.NOT], ["silent", RETURNED.MARK]], outcome: "marked" },
  ] as { ends: [Reaction, number][]; outcome: Outcome }[]
) {
  const said = ends.map(([reaction, returned]) => `${reaction} ${returned}`).join(", ");
  Deno.test(`loop: a round has the right outcome with the probes: ${said}`, () => {
    const watch = makeWatch();
    for (let round = 0; round < 2; round++) {
      watch.begin(ends.length);
      ends.forEach(([reaction, returned], i) => {
        assert.ok(watch.busy);
        const ended = watch.probeEnded(reaction, returned);
        assert.equal(ended, i === ends.length - 1 ? outcome : null);
      });
      assert.ok(!watch.busy);
    }
  });
}
