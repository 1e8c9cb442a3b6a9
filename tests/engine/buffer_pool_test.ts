import assert from "node:assert/strict";
import { BufferPool } from "../../src/engine/buffer_pool.ts";

const SIZES = [
  { asked: 1, got: 2048 },
  { asked: 2048, got: 2048 },
  { asked: 2049, got: 4096 },
  { asked: 65_537, got: 131_072 },
  { asked: 131_072, got: 131_072 },
];

for (const { asked, got } of SIZES) {
  Deno.test(`buffer pool: a buffer for ${asked} bytes has ${got}, and is reused`, () => {
    const pool = new BufferPool(1 << 20);
    const memory = pool.take(asked);
    assert.equal(memory.bytes.length, got);
    pool.give(memory);
    assert.equal(pool.bytes, got);
    assert.equal(pool.take(asked), memory);
    assert.equal(pool.bytes, 0);
  });
}

Deno.test("buffer pool: the limit is kept, and very large buffers are not reused", () => {
  const pool = new BufferPool(10_000);
  const all = Array.from({ length: 6 }, () => pool.take(2048));
  for (const one of all) pool.give(one);
  assert.equal(pool.bytes, 8192);
  pool.give(new BufferPool(0).take(300_000));
  assert.equal(pool.bytes, 8192);
});

Deno.test("buffer pool: a buffer has only one user", () => {
  const pool = new BufferPool(1 << 20);
  const taken = new Set(Array.from({ length: 50 }, (_, i) => pool.take(2048 + 100 * i)));
  for (const one of taken) pool.give(one);
  const again = Array.from({ length: 60 }, (_, i) => pool.take(2048 + 100 * i));
  assert.equal(new Set(again).size, 60);
});
