import assert from "node:assert/strict";
import { Memory } from "../../src/engine/memory.ts";
import { Response } from "../../src/engine/response/response.ts";
import { MemoryLimit } from "../../src/plugins/cache/store/memory_limit.ts";
import type { KeyedQuestion } from "../../src/plugins/cache/store/subnets.ts";
import { Store } from "../../src/plugins/cache/store/store.ts";
import { seeded } from "../support/run/random.ts";

const MI = 2 ** 20;
const memory = new Memory(65536 + 16);
const response = new Response(memory);

/** A question and, in the same memory, a response of a size that its number gives. */
function entry(number: number, size: number, client = -1): KeyedQuestion {
  const name = `n${number}`.padEnd(10, "x");
  const { bytes, view } = memory;
  bytes[12] = name.length;
  for (let i = 0; i < name.length; i++) bytes[13 + i] = name.charCodeAt(i);
  bytes[13 + name.length] = 0;
  view.setUint16(14 + name.length, 1);
  view.setUint16(16 + name.length, 1);
  const end = 18 + name.length;
  response.length = Math.max(size, end);
  for (let i = end; i < response.length; i++) bytes[i] = (number + i) & 255;
  response.ttlsAt = (response.length + 1) & ~1;
  let hash = Math.imul(number + 1, 0x9e3779b1);
  hash = Math.imul(hash ^ (hash >>> 15), 0x846ca68b);
  return {
    memory,
    offset: 0,
    qnameLength: name.length + 2,
    qtype: 1,
    hash: hash ^ (hash >>> 16),
    dnssecOk: false,
    checkingDisabled: false,
    client,
    ecsAt: 0,
    ecsLength: 0,
  };
}

const out = new Response(new Memory(8));

/** Whether the store has the entry, with the message that was put in. */
function isWhole(store: Store, number: number, size: number): boolean {
  const asked = entry(number, size);
  const row = store.find(asked, 0);
  if (row < 0) return false;
  store.read(row, out);
  assert.equal(out.length, response.length);
  for (let i = 30; i < out.length; i++) {
    assert.equal(out.memory.bytes[out.offset + i], (number + i) & 255, `entry ${number}`);
  }
  return true;
}

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
  Deno.test(`capacity_bytes holds after every insertion: ${title}`, () => {
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
      const row = store.insert(entry(i, size), response, 0x8180, 3600, i >> 8);
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

Deno.test("capacity_bytes: a message too large for the limit is not kept, and harms nothing", () => {
  const memory = new MemoryLimit(MI);
  const store = new Store(1000, { memory });
  assert.ok(store.insert(entry(1, 100), response, 0x8180, 60, 0) >= 0);
  assert.equal(store.insert(entry(2, 65_000), response, 0x8180, 60, 0) >= 0, true);
  assert.equal(store.insert(entry(3, 65_536), response, 0x8180, 60, 0) >= 0, true);
  const tight = new Store(1000, { memory: new MemoryLimit(MI / 2) });
  assert.ok(tight.insert(entry(1, 100), response, 0x8180, 60, 0) >= 0);
  assert.equal(tight.insert(entry(2, 65_000), response, 0x8180, 60, 0), -1);
  assert.ok(isWhole(tight, 1, 100));
});

Deno.test("capacity_bytes: a flood of one class leaves the other half of the room", () => {
  const memory = new MemoryLimit(4 * MI);
  const success = new Store(1e6, { memory });
  const denial = new Store(1e6, { memory });
  for (let i = 0; i < 10_000; i++) success.insert(entry(i, 300), response, 0x8180, 3600, 0);
  for (let i = 0; i < 100_000; i++) denial.insert(entry(i, 300), response, 0x8183, 3600, 0);
  assert.ok(success.size >= 0.9 * denial.size, `${success.size} of ${denial.size}`);
});

Deno.test("capacity_bytes: client subnets stay with their entries when those are moved", () => {
  const store = new Store(1e6, { subnets: "scope", memory: new MemoryLimit(MI) });
  const ask = (number: number, size: number, subnet: number): KeyedQuestion => {
    memory.bytes.set([0, 1, 24, 0, 10, subnet, number & 255], 60_000);
    return { ...entry(number, size), ecsAt: 60_000, ecsLength: 7 };
  };
  const sizes: number[] = [];
  const dice = seeded(3);
  for (let i = 0; i < 30_000; i++) {
    sizes[i] = 60 + ((i >> 11) * 137) % 1500 + dice() % 64;
    const question = ask(i, sizes[i]!, i % 3);
    response.ecsScope = 24 + (i % 9);
    assert.ok(store.insert(question, response, 0x8180, 3600, i >> 8) >= 0);
  }
  let found = 0;
  for (let i = 0; i < 30_000; i++) {
    assert.equal(store.find(ask(i, sizes[i]!, 3), 0), -1);
    const row = store.find(ask(i, sizes[i]!, i % 3), 0);
    if (row < 0) continue;
    found++;
    store.read(row, out);
    assert.equal(out.ecsScope, 24 + (i % 9));
  }
  assert.equal(found, store.size);
  response.ecsScope = -1;
});

Deno.test("fairness: who fills the store pushes out his own entries first", () => {
  for (const asks of [1, 2, 3, 5]) {
    const store = new Store(9984);
    const clients = Array.from({ length: 20 }, (_, i) => i + 1);
    let hits = 0;
    let lookups = 0;
    let next = 1_000_000;
    for (let round = 0; round < 6; round++) {
      for (const client of clients) {
        for (let n = 0; n < 100; n++) {
          const asked = entry(client * 1000 + n, 80, client);
          const row = store.find(asked, 0);
          if (round > 0) lookups++;
          if (row >= 0) {
            store.touch(row);
            if (round > 0) hits++;
          } else {
            store.insert(asked, response, 0x8180, 36_000, round);
          }
        }
        for (let n = 0; n < 1000; n++) {
          const name = next++;
          for (let ask = 0; ask < asks; ask++) {
            const asked = entry(name, 80, 1000);
            const row = store.find(asked, 0);
            if (row >= 0) store.touch(row);
            else store.insert(asked, response, 0x8180, 36_000, round);
          }
        }
      }
    }
    assert.ok(hits / lookups > 0.95, `asked ${asks} times: ${hits / lookups}`);
  }
});

Deno.test("fairness: a client alone has the whole store", () => {
  const alone = new Store(1000);
  for (let i = 0; i < 5000; i++) alone.insert(entry(i, 80, 5), response, 0x8180, 3600, 0);
  assert.equal(alone.size, 1000);
});

for (const attackers of [1, 2, 5]) {
  Deno.test(`fairness: 500 names stay, whatever ${attackers} others bring in`, () => {
    const store = new Store(9984);
    let next = 1_000_000;
    let lost = 0;
    for (let round = 0; round < 5; round++) {
      for (let n = 0; n < 500; n++) {
        const asked = entry(n, 80, 7);
        const row = store.find(asked, 0);
        if (row >= 0) store.touch(row);
        else store.insert(asked, response, 0x8180, 36_000, 0);
        if (row < 0 && round > 0) lost++;
      }
      for (let i = 0; i < 20_000; i++, next++) {
        // Twice each, so that they look as if they were of use.
        for (let ask = 0; ask < 2; ask++) {
          const asked = entry(next, 80, 100 + i % attackers);
          const row = store.find(asked, 0);
          if (row >= 0) store.touch(row);
          else store.insert(asked, response, 0x8180, 36_000, 0);
        }
      }
    }
    assert.ok(lost <= 0.02 * 2000, `${lost} of 2000 lost`);
  });
}

Deno.test("fairness: few large messages of one client push out no names of another", () => {
  const memory = new MemoryLimit(4 * MI);
  const store = new Store(9984, { memory });
  for (let n = 0; n < 500; n++) {
    store.insert(entry(n, 80, 7), response, 0x8180, 36_000, 0);
  }
  for (let n = 0; n < 2000; n++) {
    store.insert(entry(10_000 + n, 40_000, 8), response, 0x8180, 36_000, 0);
  }
  let left = 0;
  for (let n = 0; n < 500; n++) if (isWhole(store, n, 80)) left++;
  // One in 33 goes where all candidates are spared: that many are passed over for each eviction.
  assert.ok(left >= 480, `${left} of 500 left`);
});

Deno.test("fairness: many equal clients cost no hits", () => {
  const dice = seeded(7);
  // Popular names as often as the square of a uniform number is small.
  const name = (): number => Math.floor((dice() / 2 ** 32) ** 4 * 50_000);
  const hits = (clients: number): number => {
    const store = new Store(1000);
    let count = 0;
    for (let i = 0; i < 60_000; i++) {
      const asked = entry(name(), 80, dice() % clients);
      const row = store.find(asked, 0);
      if (row >= 0) {
        store.touch(row);
        count++;
      } else {
        store.insert(asked, response, 0x8180, 36_000, 0);
      }
    }
    return count;
  };
  const alone = hits(1);
  const many = hits(50);
  assert.ok(many > 0.98 * alone, `${many} hits with 50 clients, ${alone} with one`);
});
