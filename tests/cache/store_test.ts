import assert from "node:assert/strict";
import fc from "fast-check";
import { Arena, offsetOf } from "../../src/plugins/cache/store/arena.ts";
import { Store } from "../../src/plugins/cache/store/store.ts";
import { entry, insert, isWhole, request } from "../support/messages/stored.ts";

Deno.test("arena: blocks never overlap, and all memory is released", () => {
  const step = fc.oneof(
    fc.record({ free: fc.constant(false), size: fc.integer({ min: 1, max: 12_000 }) }),
    fc.record({ free: fc.constant(true), size: fc.nat() }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
      const arena = new Arena();
      const live: { address: number; size: number; mark: number }[] = [];
      steps.forEach(({ free, size }, mark) => {
        if (free) {
          const [gone] = live.splice(size % Math.max(1, live.length), 1);
          if (gone !== undefined) arena.free(gone.address);
        } else {
          const address = arena.allocate(size);
          assert.equal(offsetOf(address) % 8, 0);
          const at = offsetOf(address);
          arena.memory(address).bytes.fill(mark & 255, at, at + size);
          live.push({ address, size, mark: mark & 255 });
        }
        for (const block of live) {
          const at = offsetOf(block.address);
          const { bytes } = arena.memory(block.address);
          assert.ok(bytes.subarray(at, at + block.size).every((octet) => octet === block.mark));
        }
      });
      for (const { address } of live) arena.free(address);
      assert.ok(arena.sizeBytes <= 4 * 65536);
    }),
    { numRuns: 60 },
  );
});

Deno.test("store: entries are found, and the capacity is never exceeded", () => {
  const store = new Store(50);
  for (let i = 0; i < 500; i++) {
    const size = 60 + i % 200;
    insert(store, entry(i, size), 100);
    assert.ok(store.size <= 50);
    assert.ok(isWhole(store, i, size));
  }
  assert.equal(store.evictions, 450);
});

Deno.test("store: names with the same hash are distinguished, in a bounded bucket", () => {
  const store = new Store(1000);
  for (let i = 0; i < 200; i++) {
    insert(store, entry(i, 60, { hash: 42 }), 100);
    assert.ok(store.find(entry(i, 60, { hash: 42 }), 0) >= 0);
    assert.equal(store.find(entry(1000 + i, 60, { hash: 42 }), 0), -1);
  }
  assert.ok(store.size <= 24);
});

Deno.test("store: signed and unsigned forms of a hash are equal", () => {
  const store = new Store(10);
  insert(store, entry(1, 60, { hash: 0xf000_0001 }), 100);
  for (const hash of [0xf000_0001, 0xf000_0001 | 0]) {
    assert.ok(store.find(entry(1, 60, { hash }), 0) >= 0);
  }
});

Deno.test("store: popular entries survive a scan", () => {
  const store = new Store(100);
  const hot = Array.from({ length: 20 }, (_, i) => 10_000 + i);
  for (const number of hot) insert(store, entry(number));
  for (let i = 0; i < 5000; i++) {
    if (i % 20 === 0) {
      for (const number of hot) {
        const row = store.find(entry(number), 0);
        if (row >= 0) store.touch(row);
      }
    }
    request(store, entry(i));
  }
  assert.ok(hot.every((number) => store.find(entry(number), 0) >= 0));
});

Deno.test("store: expired entries are evicted before live ones", () => {
  const store = new Store(100);
  for (let i = 0; i < 50; i++) insert(store, entry(i), 1000);
  for (let i = 50; i < 100; i++) insert(store, entry(i), 1);
  for (let i = 100; i < 140; i++) insert(store, entry(i), 1000, 100);
  assert.equal(store.evictions, 0);
});

Deno.test("store: tables take at most 64 bytes an entry", () => {
  const store = new Store(20_000);
  for (let i = 0; i < 20_000; i++) insert(store, entry(i), 1000);
  assert.ok(store.tableBytes / 20_000 <= 64, `${store.tableBytes / 20_000} bytes`);
});
