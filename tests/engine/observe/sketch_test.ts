import assert from "node:assert/strict";
import { Sketch, SKETCH_ENTRIES } from "../../../src/engine/observe/sketch.ts";
import { seeded } from "../../support/run/random.ts";

const KEY_SIZE = 16;

function keyOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** A weak hash, so that many keys share one. */
function hashOf(key: Uint8Array, bits: number): number {
  return key.reduce((sum, octet) => Math.imul(sum, 31) + octet | 0, 7) & (2 ** bits - 1);
}

function add(sketch: Sketch, text: string, { weight = 1, tag = 0, note = "", bits = 16 } = {}) {
  const key = keyOf(text);
  sketch.add(key, 0, key.length, hashOf(key, bits), tag, weight, note);
}

interface Entry {
  count: number;
  error: number;
  note: string;
}

function entries(sketch: Sketch): Map<string, Entry> {
  const target = new Uint8Array(KEY_SIZE);
  return new Map(Array.from({ length: sketch.size }, (_, i) => {
    const text = new TextDecoder().decode(target.subarray(0, sketch.key(i, target)));
    const key = sketch.tag(i) === 0 ? text : `${text} ${sketch.tag(i)}`;
    return [key, { count: sketch.count(i), error: sketch.error(i), note: sketch.note(i) }];
  }));
}

/** A stream in which few keys are frequent, and what it counts. */
function skewedStream(
  seed: number,
  length: number,
): { keys: string[]; truth: Map<string, number> } {
  const random = seeded(seed);
  const truth = new Map<string, number>();
  const keys = Array.from({ length }, () => {
    const part = random() / 2 ** 32;
    const key = `k${Math.floor(20_000 ** part) - 1}`;
    truth.set(key, (truth.get(key) ?? 0) + 1);
    return key;
  });
  return { keys, truth };
}

/** No key is said to occur more often than it does, and none above this count is missing. */
function assertGuarantees(sketch: Sketch, truth: Map<string, number>, frequent: number): void {
  const found = entries(sketch);
  for (const [key, { count, error }] of found) {
    const real = truth.get(key) ?? 0;
    assert.ok(count - error <= real, `${key} occurs ${real} times, not ${count - error}`);
  }
  for (const [key, count] of truth) {
    if (count > frequent) assert.ok(found.has(key), `${key} is frequent but missing`);
  }
}

for (const bits of [0, 4, 16]) {
  Deno.test(`sketch: counts are bounded and frequent keys are kept, with ${bits}-bit hashes`, () => {
    const { keys, truth } = skewedStream(bits + 1, 30_000);
    const sketch = new Sketch(KEY_SIZE);
    for (const key of keys) add(sketch, key, { bits });
    assert.equal(sketch.size, SKETCH_ENTRIES);
    assertGuarantees(sketch, truth, keys.length / SKETCH_ENTRIES);
    for (const [key, { count }] of entries(sketch)) {
      assert.ok(count >= truth.get(key)!, `${key} is counted ${count} times`);
    }
    const sum = [...entries(sketch).values()].reduce((all, { count }) => all + count, 0);
    assert.equal(sum, keys.length, "every key is counted once");
  });
}

Deno.test("sketch: few keys are counted exactly, with weights, tags and the last note", () => {
  const sketch = new Sketch(KEY_SIZE, true);
  add(sketch, "a", { weight: 5, note: "first" });
  add(sketch, "b");
  add(sketch, "a", { weight: 2, note: "last" });
  add(sketch, "a", { tag: 28 });
  assert.deepEqual(Object.fromEntries(entries(sketch)), {
    a: { count: 7, error: 0, note: "last" },
    b: { count: 1, error: 0, note: "" },
    "a 28": { count: 1, error: 0, note: "" },
  });
});

Deno.test("sketch: a prefix of a key is another key, even with the same hash", () => {
  const sketch = new Sketch(KEY_SIZE);
  for (const key of ["ab", "a", "ab", "abc"]) add(sketch, key, { bits: 0 });
  assert.deepEqual([...entries(sketch)].map(([key, { count }]) => [key, count]), [
    ["ab", 2],
    ["a", 1],
    ["abc", 1],
  ]);
});

Deno.test("sketch: merged sketches keep what is twice as frequent", () => {
  const merged = new Sketch(KEY_SIZE);
  const all = new Map<string, number>();
  for (const seed of [1, 2, 3]) {
    const { keys, truth } = skewedStream(seed, 10_000);
    const part = new Sketch(KEY_SIZE);
    for (const key of keys) add(part, key);
    for (const [key, count] of truth) all.set(key, (all.get(key) ?? 0) + count);
    merged.merge(part);
  }
  const sum = [...entries(merged).values()].reduce((total, { count }) => total + count, 0);
  assert.equal(sum, 30_000);
  assertGuarantees(merged, all, 2 * 30_000 / SKETCH_ENTRIES);
});

Deno.test("sketch: a cleared sketch is as good as new", () => {
  const sketch = new Sketch(KEY_SIZE, true);
  for (let i = 0; i < 1000; i++) add(sketch, `old${i}`, { note: "old" });
  sketch.clear();
  assert.equal(sketch.size, 0);
  add(sketch, "new");
  assert.deepEqual(Object.fromEntries(entries(sketch)), { new: { count: 1, error: 0, note: "" } });
});
