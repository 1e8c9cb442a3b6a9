import assert from "node:assert/strict";
import fc from "fast-check";
import { Memory } from "../../src/engine/memory.ts";
import { Response } from "../../src/engine/response/response.ts";
import { Arena, offsetOf } from "../../src/plugins/cache/store/arena.ts";
import type { KeyedQuestion } from "../../src/plugins/cache/store/subnets.ts";
import { Store } from "../../src/plugins/cache/store/store.ts";
import { queryBytes } from "../support/messages/messages.ts";

function question(name: string, hash = hashOf(name)): KeyedQuestion {
  const memory = new Memory(512);
  const bytes = queryBytes({ name });
  memory.bytes.set(bytes);
  return {
    memory,
    offset: 0,
    qnameLength: bytes.length - 16,
    qtype: 1,
    hash,
    dnssecOk: false,
    checkingDisabled: false,
    client: -1,
    ecsAt: 0,
    ecsLength: 0,
  };
}

function hashOf(text: string): number {
  let hash = 7;
  for (const letter of text) hash = Math.imul(hash ^ letter.charCodeAt(0), 0x9e3779b1);
  return hash ^ (hash >>> 15);
}

function responseTo(asked: KeyedQuestion, size: number): Response {
  const memory = new Memory(size + 16);
  memory.bytes.set(asked.memory.bytes.subarray(0, 12 + asked.qnameLength + 4));
  const response = new Response(memory);
  response.length = Math.max(size, 12 + asked.qnameLength + 4);
  response.ttlsAt = (response.length + 1) & ~1;
  return response;
}

Deno.test("arena: blocks never overlap and all memory comes back", () => {
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
      // Only what is kept for the next need is left.
      assert.ok(arena.sizeBytes <= 4 * 65536);
    }),
    { numRuns: 60 },
  );
});

Deno.test("store: finds what it holds, and never more than its capacity", () => {
  const store = new Store(50);
  for (let i = 0; i < 500; i++) {
    const asked = question(`n${i}.example.org`);
    store.insert(asked, responseTo(asked, 60 + i % 200), 0x8180, 100, 0);
    assert.ok(store.size <= 50);
    const row = store.find(asked, 0);
    assert.ok(row >= 0);
    const response = new Response(new Memory(8));
    store.read(row, response);
    assert.equal(response.length, Math.max(60 + i % 200, 12 + asked.qnameLength + 4));
  }
  assert.equal(store.evictions, 450);
});

Deno.test("store: names of equal hash are told apart, and a bucket cannot grow long", () => {
  const store = new Store(1000);
  for (let i = 0; i < 200; i++) {
    const asked = question(`n${i}.example.org`, 42);
    store.insert(asked, responseTo(asked, 60), 0x8180, 100, 0);
    assert.ok(store.find(asked, 0) >= 0);
    assert.equal(store.find(question(`m${i}.example.org`, 42), 0), -1);
  }
  assert.ok(store.size <= 24);
});

Deno.test("store: a hash is one number, whatever its sign", () => {
  const store = new Store(10);
  const asked = question("www.example.org", 0xf000_0001);
  store.insert(asked, responseTo(asked, 60), 0x8180, 100, 0);
  assert.ok(store.find(asked, 0) >= 0);
  assert.ok(store.find(question("www.example.org", 0xf000_0001 | 0), 0) >= 0);
});

Deno.test("store: what is asked for survives a scan", () => {
  const store = new Store(100);
  const hot = Array.from({ length: 20 }, (_, i) => question(`hot${i}.example.org`));
  for (const asked of hot) store.insert(asked, responseTo(asked, 60), 0x8180, 10_000, 0);
  for (let i = 0; i < 5000; i++) {
    if (i % 20 === 0) {
      for (const asked of hot) {
        const row = store.find(asked, 0);
        if (row >= 0) store.touch(row);
      }
    }
    const scan = question(`scan${i}.example.org`);
    store.insert(scan, responseTo(scan, 60), 0x8180, 10_000, 0);
  }
  const left = hot.filter((asked) => store.find(asked, 0) >= 0).length;
  assert.equal(left, 20);
});

Deno.test("store: expired entries go before live ones", () => {
  const store = new Store(100);
  for (let i = 0; i < 50; i++) {
    const asked = question(`live${i}.example.org`);
    store.insert(asked, responseTo(asked, 60), 0x8180, 1000, 0);
  }
  for (let i = 0; i < 50; i++) {
    const asked = question(`short${i}.example.org`);
    store.insert(asked, responseTo(asked, 60), 0x8180, 1, 0);
  }
  for (let i = 0; i < 40; i++) {
    const asked = question(`new${i}.example.org`);
    store.insert(asked, responseTo(asked, 60), 0x8180, 1000, 100);
  }
  assert.equal(store.evictions, 0);
});

Deno.test("store: tables take at most 64 bytes an entry", () => {
  const store = new Store(20_000);
  for (let i = 0; i < 20_000; i++) {
    const asked = question(`n${i}.example.org`);
    store.insert(asked, responseTo(asked, 60), 0x8180, 1000, 0);
  }
  assert.ok(store.tableBytes / 20_000 <= 64, `${store.tableBytes / 20_000} bytes`);
});
