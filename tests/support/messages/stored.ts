import { Memory } from "../../../src/engine/memory.ts";
import { Response } from "../../../src/engine/response/response.ts";
import type { Store } from "../../../src/plugins/cache/store/store.ts";
import type { KeyedQuestion } from "../../../src/plugins/cache/store/subnets.ts";

const memory = new Memory(65536 + 16);
const out = new Response(new Memory(8));

/** Response to the last question made by `entry`. */
export const response: Response = new Response(memory);

/** A question by its number, with an answer of that size in `response`. */
export function entry(
  number: number,
  size = 60,
  { client = -1, hash }: { client?: number; hash?: number } = {},
): KeyedQuestion {
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
  let mixed = Math.imul(number + 1, 0x9e3779b1);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x846ca68b);
  return {
    memory,
    offset: 0,
    qnameLength: name.length + 2,
    qtype: 1,
    hash: hash ?? mixed ^ (mixed >>> 16),
    dnssecOk: false,
    checkingDisabled: false,
    client,
    ecsAt: 0,
    ecsLength: 0,
    upstream: "",
    internal: false,
  };
}

/** Stores the answer to a question of `entry`; returns its row, or -1. */
export function insert(store: Store, asked: KeyedQuestion, ttlSeconds = 36_000, now = 0): number {
  return store.insert(asked, response, 0x8180, ttlSeconds, now);
}

export function request(store: Store, asked: KeyedQuestion, now = 0): boolean {
  const row = store.find(asked, 0);
  if (row >= 0) store.touch(row);
  else insert(store, asked, 36_000, now);
  return row >= 0;
}

/** Whether the store has an entry; throws if its message has changed. */
export function isWhole(store: Store, number: number, size = 60): boolean {
  const row = store.find(entry(number, size), 0);
  if (row < 0) return false;
  store.read(row, out);
  if (out.length !== response.length) throw new Error(`entry ${number}: ${out.length} bytes`);
  for (let i = 30; i < out.length; i++) {
    if (out.memory.bytes[out.offset + i] !== ((number + i) & 255)) {
      throw new Error(`entry ${number} differs at ${i}`);
    }
  }
  return true;
}
