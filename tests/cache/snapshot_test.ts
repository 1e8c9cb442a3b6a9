import assert from "node:assert/strict";
import fc from "fast-check";
import { ResponseScanner } from "../../src/dns/response_scan.ts";
import { Exchange } from "../../src/engine/exchange/exchange.ts";
import { Memory } from "../../src/engine/memory.ts";
import { parseQuery } from "../../src/engine/exchange/query_parser.ts";
import { HashKey } from "../../src/engine/question/keyed_hash.ts";
import { readStoredQuestion } from "../../src/engine/question/read.ts";
import { NO_SCOPE } from "../../src/engine/response/response.ts";
import type { Store } from "../../src/plugins/cache/store/store.ts";
import { queryBytes } from "../support/messages/messages.ts";
import {
  entriesOf,
  loadSlice,
  look,
  makeCache,
  put,
  saveAll,
  type TestCache,
  type TestEntry,
} from "../support/messages/snapshots.ts";

const label = fc.stringMatching(/^[a-zA-Z0-9_-]{1,20}$/);
const name = fc.array(label, { minLength: 1, maxLength: 6 }).map((labels) => labels.join("."));
const type = fc.constantFrom("A", "AAAA", "MX", "TXT", "SRV", "PTR", "CAA", "DS");

function exchangeOf(bytes: Uint8Array): Exchange {
  const memory = new Memory(bytes.length + 16);
  memory.bytes.set(bytes);
  const exchange = new Exchange(memory);
  exchange.length = bytes.length;
  return exchange;
}

Deno.test("snapshot: a stored question has the hash of its query, whatever the case", () => {
  fc.assert(
    fc.property(
      name,
      type,
      fc.constantFrom(1, 3, 255, 0xffff),
      fc.boolean(),
      fc.boolean(),
      fc.integer(),
      (name, type, qclass, dnssecOk, checkingDisabled, seed) => {
        const key = new HashKey(seed, ~seed);
        const flags = 0x0100 | (checkingDisabled ? 0x0010 : 0);
        const query = exchangeOf(
          queryBytes({ name, type, qclass, flags, edns: 1232, dnssecOk }),
        );
        assert.equal(parseQuery(query, key), 0);
        const stored = exchangeOf(queryBytes({ name: name.toLowerCase(), type, qclass }));
        stored.dnssecOk = dnssecOk;
        stored.flags = flags;
        assert.ok(readStoredQuestion(stored, key));
        for (const field of ["hash", "qnameLength", "labelCount", "qtype", "qclass"] as const) {
          assert.equal(stored[field], query[field], field);
        }
        stored.dnssecOk = !dnssecOk;
        assert.ok(readStoredQuestion(stored, key));
        assert.notEqual(stored.hash, query.hash);
      },
    ),
  );
});

const entry: fc.Arbitrary<TestEntry> = fc.record({
  name: name.map((name) => name.toLowerCase()),
  type: fc.constantFrom("A", "AAAA", "TXT"),
  denial: fc.boolean(),
  dnssecOk: fc.boolean(),
  checkingDisabled: fc.boolean(),
  qclass: fc.constantFrom(1, 3),
  extendedError: fc.constantFrom(-1, 0, 15, 65535),
  records: fc.integer({ min: 1, max: 40 }),
  ttlSeconds: fc.integer({ min: 200, max: 5000 }),
  storedAt: fc.integer({ min: 0, max: 1000 }),
  touches: fc.integer({ min: 0, max: 5 }),
});

function keyOf({ name, type, qclass, dnssecOk, checkingDisabled }: TestEntry) {
  return `${name} ${type} ${qclass} ${dnssecOk} ${checkingDisabled}`;
}

Deno.test("snapshot: every entry is restored under another seed, with its age", () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(entry, { maxLength: 40, selector: keyOf }),
      fc.integer({ min: 0, max: 300 }),
      fc.integer({ min: 0, max: 900 }),
      (entries, elapsedTenths, now) => {
        const from = makeCache({ seed: 1 });
        for (const one of entries) put(from, one);
        const to = makeCache({ seed: 2 });
        const kept = saveAll(from, 1000);
        let taken = 0;
        for (const { bytes } of kept) {
          const reply = loadSlice(to, bytes, { now, elapsedTenths, most: 7 });
          assert.equal(reply.next, bytes.length);
          assert.equal(reply.left, 0);
          taken += reply.taken;
        }
        assert.equal(taken, entries.length);
        for (const one of entries) {
          const [before, after] = [look(from, one)!, look(to, one)!];
          assert.deepEqual(after.message, before.message);
          assert.deepEqual(after.ttlsAt, before.ttlsAt);
          assert.equal(after.extendedError, one.extendedError);
          const ageTenths = 1000 - before.state.storedAt + elapsedTenths;
          assert.deepEqual({ ...after.state }, { ...before.state, storedAt: now - ageTenths });
        }
      },
    ),
    { numRuns: 60 },
  );
});

Deno.test("snapshot: many entries are saved in several slices, each entry once", () => {
  const from = makeCache({ seed: 1 });
  for (let i = 0; i < 2500; i++) {
    const records = i % 100 === 0 ? 1500 : 1;
    put(from, { name: `n${i}.example.org`, records, denial: i % 3 === 0 });
  }
  const slices = saveAll(from);
  assert.ok(slices.length > 5, `${slices.length} slices`);
  const to = makeCache({ seed: 2 });
  const sums = slices.map(({ bytes }) => loadSlice(to, bytes));
  assert.equal(sums.reduce((sum, { taken }) => sum + taken, 0), 2500);
  assert.equal(to.success.size, from.success.size);
  assert.equal(to.denial.size, from.denial.size);
});

interface Case {
  title: string;
  entry?: Partial<TestEntry>;
  saveAt?: number;
  to?: Partial<Parameters<typeof makeCache>[0]>;
  elapsedTenths?: number;
  /** Remaining TTL when loaded at time 0; null if not restored. */
  remaining: number | null;
}

const CASES: Case[] = [
  { title: "unchanged", remaining: 300 },
  { title: "its age in the process that saved it counts", saveAt: 1000, remaining: 200 },
  {
    title: "the time between two processes counts",
    saveAt: 1000,
    elapsedTenths: 500,
    remaining: 150,
  },
  { title: "expired since it was saved", elapsedTenths: 3000, remaining: null },
  {
    title: "expired since it was saved, but useful as a stale answer",
    elapsedTenths: 3100,
    to: { staleSeconds: 60 },
    remaining: -10,
  },
  {
    title: "too old for a stale answer",
    elapsedTenths: 3600,
    to: { staleSeconds: 60 },
    remaining: null,
  },
  {
    title: "a lower maximum TTL applies",
    elapsedTenths: 100,
    to: { maxTtlSeconds: 30 },
    remaining: 20,
  },
  {
    title: "of a class or zone that is no longer cached",
    to: { keeps: false },
    remaining: null,
  },
  {
    title: "an age that exceeds the clock",
    entry: { ttlSeconds: 0x7fffffff },
    elapsedTenths: 0x3fffffff + 1,
    to: { maxTtlSeconds: 0x7fffffff },
    remaining: null,
  },
];

for (const { title, entry, saveAt = 0, to: options, elapsedTenths = 0, remaining } of CASES) {
  Deno.test(`a restored entry: ${title}`, () => {
    const one = { name: "www.example.org", ...entry };
    const from = makeCache({ seed: 1 });
    put(from, one);
    const to = makeCache({ seed: 2, ...options });
    for (const { bytes } of saveAll(from, saveAt)) loadSlice(to, bytes, { elapsedTenths });
    const found = look(to, one);
    if (found === null) assert.equal(remaining, null);
    else assert.equal(found.state.ttlSeconds + Math.ceil(found.state.storedAt / 10), remaining);
  });
}

for (
  const { title, staleSeconds, entry } of [
    { title: "without an answer", staleSeconds: 3600, entry: { records: 0 } },
    { title: "that has expired", staleSeconds: 0, entry: { ttlSeconds: 10 } },
  ]
) {
  Deno.test(`an entry ${title} is not saved`, () => {
    const from = makeCache({ seed: 1, staleSeconds });
    put(from, { name: "other.example.org", ...entry });
    put(from, { name: "www.example.org" });
    assert.deepEqual(saveAll(from, 100).map(({ entries }) => entries), [1]);
  });
}

Deno.test("restoring does not replace entries stored since the start", () => {
  const one = { name: "www.example.org" };
  for (const denial of [false, true]) {
    const from = makeCache({ seed: 1 });
    put(from, { ...one, ttlSeconds: 5000 });
    const to = makeCache({ seed: 2 });
    put(to, { ...one, denial, ttlSeconds: 77 });
    const [slice] = saveAll(from);
    const next = slice!.bytes.length;
    assert.deepEqual(loadSlice(to, slice!.bytes), { next, taken: 0, left: 1, malformed: 0 });
    assert.equal(look(to, { ...one, denial })!.state.ttlSeconds, 77);
    assert.equal(look(to, { ...one, denial: !denial }), null);
  }
});

Deno.test("the answer and the denial of one question are both restored if both are allowed", () => {
  const from = makeCache({ seed: 1 });
  const one = { name: "www.example.org" };
  put(from, one);
  put(from, { ...one, denial: true });
  const [slice, other] = saveAll(from);
  const to = makeCache({ seed: 2, bothClasses: true });
  for (const { bytes } of [slice!, other!]) assert.equal(loadSlice(to, bytes).taken, 1);
  assert.ok(look(to, one) !== null && look(to, { ...one, denial: true }) !== null);
});

Deno.test("answers for client subnets are restored for these subnets, and only with ecs", () => {
  const name = "www.example.org";
  const entries: TestEntry[] = [
    { name },
    { name, subnet: [0, 1, 24, 0, 192, 0, 2], ttlSeconds: 301 },
    { name, subnet: [0, 2, 32, 0, 0x20, 1, 0x0d, 0xb8], ttlSeconds: 302 },
    { name: "wide.example.org", subnet: [0, 1, 24, 0, 192, 0, 2], scope: 16, ttlSeconds: 303 },
    { name: "all.example.org", subnet: [0, 1, 24, 0, 192, 0, 2], scope: 0, ttlSeconds: 304 },
    { name: "own.example.org", subnet: [0, 1, 24, 0, 192, 0, 2], scope: NO_SCOPE.NEEDED },
    { name: "untold.example.org", subnet: [0, 1, 24, 0, 192, 0, 2], scope: NO_SCOPE.KNOWN },
  ];
  const from = makeCache({ seed: 1, ecs: true });
  for (const one of entries) put(from, one);
  const [slice] = saveAll(from);
  const to = makeCache({ seed: 2, ecs: true });
  const next = slice!.bytes.length;
  assert.deepEqual(loadSlice(to, slice!.bytes), { next, taken: 7, left: 0, malformed: 0 });
  for (const one of entries) {
    const found = look(to, one)!;
    assert.equal(found.state.ttlSeconds, one.ttlSeconds ?? 300);
    const scope = one.subnet === undefined ? NO_SCOPE.NEEDED : one.scope ?? 24;
    assert.equal(found.scope, Math.max(scope, NO_SCOPE.NEEDED));
  }
  assert.equal(look(to, { name: "wide.example.org", subnet: [0, 1, 24, 0, 192, 0, 9] })!.scope, 16);
  assert.equal(look(to, { name: "wide.example.org", subnet: [0, 1, 24, 0, 192, 1, 2] }), null);
  for (const subnet of [[], [0, 1, 24, 0, 10, 0, 0], [0, 2, 8, 0, 0x20]]) {
    assert.equal(look(to, { name: "all.example.org", subnet })!.state.ttlSeconds, 304);
  }
  assert.equal(look(to, { name, subnet: [0, 1, 24, 0, 192, 0, 3] }), null);
  assert.equal(look(to, { name: "own.example.org" })!.scope, NO_SCOPE.NEEDED);
  assert.equal(look(to, { name: "untold.example.org" }), null);
  const without = makeCache({ seed: 3 });
  assert.equal(loadSlice(without, slice!.bytes).taken, 1);
  assert.equal(look(without, { name })!.state.ttlSeconds, 300);
});

Deno.test("answers for wide and narrow networks are both restored, in any order", () => {
  const name = "www.example.org";
  const net = (...octets: number[]) => [0, 1, 8 * octets.length, 0, ...octets];
  const entries: TestEntry[] = [
    { name, subnet: net(192, 0, 2), scope: 0, ttlSeconds: 301 },
    { name, subnet: net(10, 0), scope: 16, ttlSeconds: 302 },
    { name, subnet: net(10, 0, 2), scope: 24, ttlSeconds: 303 },
    { name, subnet: net(10, 0, 2, 7), scope: 32, ttlSeconds: 304, denial: true },
    { name, ttlSeconds: 305 },
  ];
  for (const order of [entries, entries.toReversed()]) {
    const from = makeCache({ seed: 1, ecs: true });
    for (const one of order) put(from, one);
    const to = makeCache({ seed: 2, ecs: true });
    // For the same clients, entries stored since the start are newer, in either class.
    const learnt: TestEntry[] = [
      { name, subnet: net(10, 0), scope: 16, ttlSeconds: 77, denial: true },
      { name, subnet: net(10, 0, 2, 7), scope: 32, ttlSeconds: 78, denial: true },
    ];
    for (const one of learnt) put(to, one);
    const replies = saveAll(from).map(({ bytes }) => loadSlice(to, bytes));
    assert.deepEqual(replies.map(({ taken, left }) => [taken, left]), [[3, 1], [0, 1]]);
    for (const one of [...learnt, entries[0]!, entries[2]!, entries[4]!]) {
      assert.equal(look(to, one)!.state.ttlSeconds, one.ttlSeconds);
    }
    assert.equal(look(to, { name, subnet: net(10, 0) })!.state.ttlSeconds, 301);
  }
});

Deno.test("a smaller cache is filled to its capacity", () => {
  const from = makeCache({ seed: 1 });
  for (let i = 0; i < 1500; i++) put(from, { name: `n${i}.example.org` });
  const to = makeCache({ seed: 2, capacity: 100 });
  for (const { bytes } of saveAll(from)) loadSlice(to, bytes);
  assert.equal(to.success.size, 100);
});

/** Asserts what the query path assumes of every entry. */
function checkEntries(cache: TestCache): void {
  const scanner = new ResponseScanner();
  for (const store of [cache.success, cache.denial] as Store[]) {
    for (const { message, ttlsAt } of entriesOf(store)) {
      const view = new DataView(message.buffer, message.byteOffset, message.length);
      assert.ok(scanner.scan(message, view, 0, message.length));
      assert.equal(scanner.length, message.length);
      assert.deepEqual(ttlsAt, [...scanner.ttls.subarray(0, scanner.ttlCount)]);
      const stored = exchangeOf(message);
      assert.ok(readStoredQuestion(stored, cache.hashKey));
      const nameBytes = message.subarray(12, 12 + stored.qnameLength);
      assert.ok(nameBytes.every((octet) => octet < 0x41 || octet > 0x5a), "lower case");
    }
  }
}

Deno.test("a slice with any single byte changed leaves only valid entries", () => {
  const from = makeCache({ seed: 1, ecs: true });
  put(from, { name: "www.example.org", records: 2, dnssecOk: true });
  const subnet = [0, 1, 24, 0, 192, 0, 2];
  put(from, { name: "net.example.org", subnet, extendedError: 15 });
  put(from, { name: "mail.example.org", denial: true });
  for (const { bytes } of saveAll(from)) {
    for (let at = 0; at < bytes.length; at++) {
      for (let value = 0; value < 256; value++) {
        if (value === bytes[at]) continue;
        const to = makeCache({ seed: 2, capacity: 4, maxTtlSeconds: 0x7fffffff, ecs: true });
        const changed = bytes.slice();
        changed[at] = value;
        loadSlice(to, changed);
        checkEntries(to);
      }
    }
  }
});

Deno.test("slices with random damage leave only valid entries", () => {
  const from = makeCache({ seed: 1 });
  for (let i = 0; i < 20; i++) {
    put(from, { name: `n${i}.example.org`, records: i, denial: i % 4 === 0 });
  }
  const slices = saveAll(from).map(({ bytes }) => bytes);
  const damage = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 12 });
  fc.assert(
    fc.property(fc.nat(), damage, fc.nat(), (which, changes, cut) => {
      const bytes = slices[which % slices.length]!.slice();
      for (const [at, value] of changes) bytes[at % bytes.length] = value;
      const to = makeCache({ seed: 2, capacity: 8, maxTtlSeconds: 0x7fffffff });
      loadSlice(to, bytes.slice(0, cut % 3 === 0 ? cut % bytes.length : bytes.length));
      checkEntries(to);
    }),
    { numRuns: 2000 },
  );
});

/** Changes that keep an entry's sizes; its message begins at 24, its record at 24 + 32. */
const BAD_CONTENT: [title: string, change: (entry: Uint8Array) => void][] = [
  ["an unknown class", (entry) => entry[16] = 2],
  ["the other class", (entry) => entry[16] = 1],
  ["a TTL above the maximum", (entry) => entry[3] = 0x80],
  ["a query", (entry) => entry[24 + 2]! &= 0x7f],
  ["two questions", (entry) => entry[24 + 5] = 2],
  ["a name that does not end", (entry) => entry[24 + 12] = 63],
  ["a pointer to itself", (entry) => entry.set([0xc0, 32], 24 + 32)],
  ["a record count too high", (entry) => entry[24 + 7] = 2],
  ["a wrong TTL offset", (entry) => entry[24 + 62]! ^= 1],
];

Deno.test("a malformed entry is skipped and counted, and the others are restored", () => {
  const from = makeCache({ seed: 1 });
  const names = ["a0.example.org", "a1.example.org", "a2.example.org"];
  for (const name of names) put(from, { name });
  const { bytes } = saveAll(from)[0]!;
  const size = bytes.length / 3;
  for (const [title, change] of BAD_CONTENT) {
    const changed = bytes.slice();
    change(changed.subarray(size, 2 * size));
    const to = makeCache({ seed: 2 });
    const reply = { next: bytes.length, taken: 2, left: 0, malformed: 1 };
    assert.deepEqual(loadSlice(to, changed), reply, title);
    assert.deepEqual(names.map((name) => look(to, { name }) !== null), [true, false, true], title);
  }
});

Deno.test("a truncated slice restores the complete entries before the cut, then is refused", () => {
  const from = makeCache({ seed: 1 });
  for (let i = 0; i < 3; i++) put(from, { name: `n${i}.example.org` });
  const { bytes } = saveAll(from)[0]!;
  const size = bytes.length / 3;
  for (let cut = 0; cut < bytes.length; cut++) {
    const to = makeCache({ seed: 2 });
    const { next, taken } = loadSlice(to, bytes.slice(0, cut));
    assert.equal(taken, Math.floor(cut / size), `cut at ${cut}`);
    assert.equal(next, cut % size === 0 ? cut : -1, `cut at ${cut}`);
  }
});
