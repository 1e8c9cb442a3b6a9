import type * as codec from "dns-packet";
import { Exchange } from "../../../src/engine/exchange/exchange.ts";
import { Memory } from "../../../src/engine/memory.ts";
import { HashKey } from "../../../src/engine/question/keyed_hash.ts";
import { readStoredQuestion } from "../../../src/engine/question/read.ts";
import { Response } from "../../../src/engine/response/response.ts";
import { ResponseScanner } from "../../../src/dns/response_scan.ts";
import {
  type LoadReply,
  type SaveReply,
  SNAPSHOT_START,
} from "../../../src/plugins/cache/persist/requests.ts";
import { Snapshot } from "../../../src/plugins/cache/persist/snapshot.ts";
import { describeReply } from "../../../src/upstream/message/reply.ts";
import { MAX_SLICE_SIZE } from "../../../src/plugins/cache/persist/snapshot_file.ts";
import { MemoryLimit } from "../../../src/plugins/cache/store/memory_limit.ts";
import * as ROW from "../../../src/plugins/cache/store/row.ts";
import { Store } from "../../../src/plugins/cache/store/store.ts";
import { a, decode, queryBytes, responseBytes, soa } from "./messages.ts";

export interface TestCache {
  success: Store;
  denial: Store;
  snapshot: Snapshot;
  hashKey: HashKey;
}

/** Makes an empty cache with its own hash key. */
export function makeCache(
  options: {
    seed: number;
    capacity?: number;
    maxTtlSeconds?: number;
    staleSeconds?: number;
    keeps?: boolean;
    bothClasses?: boolean;
    ecs?: boolean;
  },
): TestCache {
  const { seed, capacity = 10_000, maxTtlSeconds = 86_400, staleSeconds = 0 } = options;
  const { keeps = true, bothClasses = false, ecs = false } = options;
  const hashKey = new HashKey(seed, ~seed);
  const memory = new MemoryLimit();
  const store = { graceSeconds: staleSeconds, subnets: ecs ? "scope" : "none", memory } as const;
  const success = new Store(capacity, store);
  const denial = new Store(capacity, store);
  const snapshot = new Snapshot({
    content: { success, denial },
    maxTtlSeconds: { success: maxTtlSeconds, denial: maxTtlSeconds },
    staleSeconds,
    bothClasses,
    ecs,
    hashKey,
    keeps: () => keeps,
  });
  return { success, denial, snapshot, hashKey };
}

export interface TestEntry {
  name: string;
  type?: "A" | "AAAA" | "TXT";
  qclass?: number;
  denial?: boolean;
  dnssecOk?: boolean;
  checkingDisabled?: boolean;
  records?: number;
  ttlSeconds?: number;
  storedAt?: number;
  touches?: number;
  /** Client subnet data, and the answer's scope; default 24. */
  subnet?: number[];
  scope?: number;
  /** Extended error of the answer; -1 for none. */
  extendedError?: number;
}

export function put(cache: TestCache, entry: TestEntry): void {
  const { denial = false, records = 1, ttlSeconds = 300, storedAt = 0 } = entry;
  const { touches = 0, subnet = [] } = entry;
  const exchange = exchangeFor(cache, entry);
  const query = decode(exchange.memory.bytes.slice(0, exchange.length));
  const bytes = responseBytes(query, {
    edns: false,
    rcode: denial ? 3 : 0,
    answers: denial ? [] : Array.from({ length: records }, (_, i) => answer(entry, i, ttlSeconds)),
    authorities: denial ? [soa("example.org")] : [],
  });
  const memory = new Memory(bytes.length + 8192);
  memory.bytes.set(bytes);
  const scanner = new ResponseScanner();
  if (!scanner.scan(memory.bytes, memory.view, 0, bytes.length)) throw new Error(name);
  const response = new Response(memory);
  describeReply(response, scanner, memory);
  if (subnet.length > 0) response.ecsScope = entry.scope ?? 24;
  response.extendedError = entry.extendedError ?? -1;
  const store = denial ? cache.denial : cache.success;
  const row = store.insert(exchange, response, response.flags, ttlSeconds, storedAt);
  for (let i = 0; i < touches; i++) store.touch(row);
}

function answer(entry: TestEntry, i: number, ttl: number): codec.Answer {
  const { name, type = "A", qclass = 1 } = entry;
  const common = { name, ttl, class: qclass === 1 ? "IN" : "CH" } as const;
  if (type === "AAAA") return { type, ...common, data: `2001:db8::${i + 1}` };
  if (type === "TXT") return { type, ...common, data: `text ${i}` };
  return { ...a(name, `192.0.2.${i % 250}`, ttl), ...common } as codec.Answer;
}

/** The question of an entry, hashed with the cache's key. */
export function exchangeFor(cache: TestCache, entry: TestEntry): Exchange {
  const { name, type = "A", qclass = 1, dnssecOk = false, checkingDisabled = false } = entry;
  const bytes = queryBytes({ name, type, qclass });
  const { subnet = [] } = entry;
  const memory = new Memory(bytes.length + subnet.length + 16);
  memory.bytes.set([...bytes, ...subnet]);
  const exchange = new Exchange(memory);
  exchange.length = bytes.length;
  exchange.ecsAt = bytes.length;
  exchange.ecsLength = subnet.length;
  exchange.flags = 0x0100 | (checkingDisabled ? 0x0010 : 0);
  exchange.dnssecOk = dnssecOk;
  if (!readStoredQuestion(exchange, cache.hashKey)) throw new Error(name);
  return exchange;
}

/** All state of an entry in a cache; null if it is missing. */
export function look(cache: TestCache, entry: TestEntry) {
  const store = entry.denial === true ? cache.denial : cache.success;
  const row = store.find(exchangeFor(cache, entry), 0);
  if (row < 0) return null;
  const { rows } = store;
  const state = {
    storedAt: rows[row + ROW.STORED]!,
    ttlSeconds: rows[row + ROW.TTL]!,
    hits: rows[row + ROW.HITS]!,
    flags: rows[row + ROW.STATE]! & ROW.PERSISTED,
  };
  const response = new Response(new Memory(8));
  store.read(row, response);
  const { memory, offset, length } = response;
  return {
    state,
    message: memory.bytes.slice(offset, offset + length),
    scope: response.ecsScope,
    extendedError: response.extendedError,
    ttlsAt: ttlTableOf(response),
  };
}

export function saveAll(
  cache: TestCache,
  now = 0,
): { bytes: Uint8Array<ArrayBuffer>; entries: number }[] {
  const memory = new SharedArrayBuffer(MAX_SLICE_SIZE);
  const slices = [];
  for (let from: SaveReply["next"] = SNAPSHOT_START; from !== null;) {
    const reply: SaveReply = cache.snapshot.save({ type: "save", memory, from }, now);
    const bytes = new Uint8Array(reply.sizeBytes);
    bytes.set(new Uint8Array(memory, 0, reply.sizeBytes));
    if (reply.entries > 0) slices.push({ bytes, entries: reply.entries });
    from = reply.next;
  }
  return slices;
}

/** Loads a slice into a cache; returns the sum of all replies. */
export function loadSlice(
  cache: TestCache,
  bytes: Uint8Array,
  options: { now?: number; elapsedTenths?: number; most?: number } = {},
): LoadReply {
  const { now = 0, elapsedTenths = 0, most = 100 } = options;
  const memory = new SharedArrayBuffer(MAX_SLICE_SIZE);
  new Uint8Array(memory).set(bytes);
  const sum: LoadReply = { next: 0, taken: 0, left: 0, malformed: 0 };
  while (sum.next >= 0 && sum.next < bytes.length) {
    const { next, taken, left, malformed } = cache.snapshot.load(
      { type: "load", memory, sizeBytes: bytes.length, from: sum.next, most, elapsedTenths },
      now,
    );
    sum.next = next;
    sum.taken += taken;
    sum.left += left;
    sum.malformed += malformed;
  }
  return sum;
}

/** Message and TTL table of each entry of a store. */
export function* entriesOf(store: Store): Generator<{ message: Uint8Array; ttlsAt: number[] }> {
  const response = new Response(new Memory(8));
  for (let row = 0; row < store.rows.length; row += ROW.STRIDE) {
    if (store.rows[row + ROW.ADDRESS] === -1) continue;
    store.read(row, response);
    const { memory, offset, length } = response;
    yield { message: memory.bytes.slice(offset, offset + length), ttlsAt: ttlTableOf(response) };
  }
}

function ttlTableOf({ memory, ttlsAt, ttlCount }: Response): number[] {
  return Array.from({ length: ttlCount }, (_, i) => memory.view.getUint16(ttlsAt + 2 * i, true));
}
