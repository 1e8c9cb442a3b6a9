import assert from "node:assert/strict";
import { Memory } from "../../src/engine/memory.ts";
import { Response } from "../../src/engine/response/response.ts";
import { MemoryLimit } from "../../src/plugins/cache/store/memory_limit.ts";
import { Store } from "../../src/plugins/cache/store/store.ts";
import type { KeyedQuestion } from "../../src/plugins/cache/store/subnets.ts";
import { entry, insert, isWhole, request, response } from "../support/messages/stored.ts";
import { seeded } from "../support/run/random.ts";

const MI = 2 ** 20;

for (
  const { title, limit, sizeOf } of [
    { title: "small messages", limit: 4 * MI, sizeOf: (dice: () => number) => 40 + dice() % 200 },
    { title: "usual messages", limit: 4 * MI, sizeOf: (dice: () => number) => 60 + dice() % 900 },
    { title: "the least limit", limit: MI, sizeOf: (dice: () => number) => 60 + dice() % 500 },
    {
      title: "large messages among small ones",
      limit: 8 * MI,
      sizeOf: (dice: () => number) =>
        dice() % 50 === 0 ? 5000 + dice() % 50_000 : 80 + dice() % 300,
    },
    {
      title: "sizes that shift",
      limit: 4 * MI,
      sizeOf: (dice: () => number, i: number) => 60 + ((i >> 12) * 137) % 1500 + dice() % 64,
    },
    {
      title: "a limit with large chunks",
      limit: 33 * MI,
      sizeOf: (dice: () => number) => 200 + dice() % 1000,
    },
  ]
) {
  Deno.test(`capacity_bytes is not exceeded after any insertion: ${title}`, () => {
    const dice = seeded(7);
    const memory = new MemoryLimit(limit);
    const stores = [new Store(1e6, { memory }), new Store(1e6, { memory })];
    const sizes: number[] = [];
    let kept = 0;
    let largest = 0;
    const rounds = limit > 16 * MI ? 60_000 : 40_000;
    for (let i = 0; i < rounds; i++) {
      const size = sizes[i] = sizeOf(dice, i);
      const store = stores[i % 5 === 0 ? 1 : 0]!;
      const row = insert(store, entry(i, size), 3600, i >> 8);
      assert.ok(row >= 0);
      assert.ok(memory.sizeBytes <= limit, `${memory.sizeBytes} after ${i}`);
      assert.ok(isWhole(store, i, size), `entry ${i} is not there`);
      if (i % 97 === 0) {
        const older = Math.max(0, i - dice() % 2000);
        isWhole(stores[older % 5 === 0 ? 1 : 0]!, older, sizes[older]!);
      }
    }
    for (let i = 0; i < rounds; i++) {
      if (!isWhole(stores[i % 5 === 0 ? 1 : 0]!, i, sizes[i]!)) continue;
      kept += sizes[i]!;
      largest++;
    }
    assert.equal(largest, stores[0]!.size + stores[1]!.size);
    assert.ok(kept >= 0.5 * limit, `${Math.round(100 * kept / limit)} % is messages`);
    const live = kept + stores[0]!.tableBytes + stores[1]!.tableBytes;
    assert.ok(live >= 0.6 * limit, `${Math.round(100 * live / limit)} % is in use`);
  });
}

Deno.test("capacity_bytes: a message above the limit is not stored, and evicts nothing", () => {
  const memory = new MemoryLimit(MI);
  const store = new Store(1000, { memory });
  assert.ok(insert(store, entry(1, 100)) >= 0);
  assert.equal(insert(store, entry(2, 65_000)) >= 0, true);
  assert.equal(insert(store, entry(3, 65_536)) >= 0, true);
  const tight = new Store(1000, { memory: new MemoryLimit(MI / 2) });
  assert.ok(insert(tight, entry(1, 100)) >= 0);
  assert.equal(insert(tight, entry(2, 65_000)), -1);
  assert.ok(isWhole(tight, 1, 100));
});

Deno.test("capacity_bytes: denials take at most half of the memory", () => {
  const memory = new MemoryLimit(4 * MI);
  const success = new Store(1e6, { memory });
  const denial = new Store(1e6, { memory });
  for (let i = 0; i < 10_000; i++) insert(success, entry(i, 300), 3600);
  for (let i = 0; i < 100_000; i++) insert(denial, entry(i, 300), 3600);
  assert.ok(success.size >= 0.9 * denial.size, `${success.size} of ${denial.size}`);
});

Deno.test("capacity_bytes: an entry that moves keeps its client subnets", () => {
  const store = new Store(1e6, { subnets: "scope", memory: new MemoryLimit(MI) });
  const ask = (number: number, size: number, subnet: number): KeyedQuestion => {
    const question = entry(number, size);
    question.memory.bytes.set([0, 1, 24, 0, 10, subnet, number & 255], 60_000);
    return { ...question, ecsAt: 60_000, ecsLength: 7 };
  };
  const sizes: number[] = [];
  const dice = seeded(3);
  for (let i = 0; i < 30_000; i++) {
    sizes[i] = 60 + ((i >> 11) * 137) % 1500 + dice() % 64;
    const question = ask(i, sizes[i]!, i % 3);
    response.ecsScope = 24 + (i % 9);
    assert.ok(insert(store, question, 3600, i >> 8) >= 0);
  }
  let found = 0;
  for (let i = 0; i < 30_000; i++) {
    assert.equal(store.find(ask(i, sizes[i]!, 3), 0), -1);
    const row = store.find(ask(i, sizes[i]!, i % 3), 0);
    if (row < 0) continue;
    found++;
    const stored = new Response(new Memory(8));
    store.read(row, stored);
    assert.equal(stored.ecsScope, 24 + (i % 9));
  }
  assert.equal(found, store.size);
  response.ecsScope = -1;
});

for (const asks of [1, 2, 3, 5]) {
  Deno.test(`fairness: a flood asked for ${asks} times evicts its own entries first`, () => {
    const store = new Store(9984);
    let hits = 0;
    let next = 1_000_000;
    for (let round = 0; round < 6; round++) {
      for (let client = 1; client <= 20; client++) {
        for (let n = 0; n < 100; n++) {
          const hit = request(store, entry(client * 1000 + n, 80, { client }), round);
          if (hit && round > 0) hits++;
        }
        for (let n = 0; n < 1000; n++, next++) {
          for (let i = 0; i < asks; i++) request(store, entry(next, 80, { client: 1000 }), round);
        }
      }
    }
    const ratio = hits / (5 * 20 * 100);
    assert.ok(ratio > 0.95, String(ratio));
  });
}

Deno.test("fairness: a single client can fill the whole store", () => {
  const alone = new Store(1000);
  for (let i = 0; i < 5000; i++) insert(alone, entry(i, 80, { client: 5 }));
  assert.equal(alone.size, 1000);
});

for (const attackers of [1, 2, 5]) {
  Deno.test(`fairness: 500 names survive a flood from ${attackers} other clients`, () => {
    const store = new Store(9984);
    let next = 1_000_000;
    let lost = 0;
    for (let round = 0; round < 5; round++) {
      for (let n = 0; n < 500; n++) {
        if (!request(store, entry(n, 80, { client: 7 })) && round > 0) lost++;
      }
      for (let i = 0; i < 20_000; i++, next++) {
        const client = 100 + i % attackers;
        for (let ask = 0; ask < 2; ask++) request(store, entry(next, 80, { client }));
      }
    }
    assert.ok(lost <= 0.02 * 2000, `${lost} of 2000 lost`);
  });
}

Deno.test("fairness: a few large messages of one client evict no names of another", () => {
  const store = new Store(9984, { memory: new MemoryLimit(4 * MI) });
  for (let n = 0; n < 500; n++) insert(store, entry(n, 80, { client: 7 }));
  for (let n = 0; n < 2000; n++) insert(store, entry(10_000 + n, 40_000, { client: 8 }));
  let left = 0;
  for (let n = 0; n < 500; n++) if (isWhole(store, n, 80)) left++;
  // An eviction skips at most 32 spared candidates, so one in 33 goes.
  assert.ok(left >= 480, `${left} of 500 left`);
});

Deno.test("fairness: with many equal clients the hit rate is unchanged", () => {
  const dice = seeded(7);
  const name = (): number => Math.floor((dice() / 2 ** 32) ** 4 * 50_000);
  const hits = (clients: number): number => {
    const store = new Store(1000);
    let count = 0;
    for (let i = 0; i < 60_000; i++) {
      if (request(store, entry(name(), 80, { client: dice() % clients }))) count++;
    }
    return count;
  };
  const alone = hits(1);
  const many = hits(50);
  assert.ok(many > 0.98 * alone, `${many} hits with 50 clients, ${alone} with one`);
});
