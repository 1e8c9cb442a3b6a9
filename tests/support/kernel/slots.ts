/** Writes what src/engine/kernel/layout.ts describes, in a simple way: the tests' own. */
import {
  BUCKET_SIZE,
  CONF,
  CONF_SIZE,
  ENDPOINT,
  ENDPOINT_SIZE,
  LARGE,
  LARGE_SLOT,
  SECOND_BUCKET,
  SLOT,
  SMALL_SLOT,
  WAYS,
} from "../../../src/engine/kernel/layout.ts";
import { viewOf } from "../messages/wire.ts";
import { nameOctets } from "./packets.ts";

export const SEED = 0x5eed1234;
export const GENERATION = 7;
const SECOND = 1_000_000_000n;

/** An answer; a test changes what it is about. */
export interface Entry {
  endpoint?: number;
  name: string;
  qtype?: number;
  /** DO 1, CD 2. */
  key?: number;
  /** Answers, authorities, additional records. */
  counts?: readonly [number, number, number];
  flags?: number;
  /** The message behind the question. */
  body: readonly number[];
  /** Where its TTLs are. */
  ttls: readonly number[];
  limit?: number;
  payload?: number;
  /** From now on, in nanoseconds. */
  expires?: bigint;
  refresh?: bigint;
  generation?: number;
  /** In the second bucket of the hash. */
  second?: boolean;
}

/** Records with pointers to the question's name. */
export function records(count: number, dataLength = 4): { body: number[]; ttls: number[] } {
  const body: number[] = [];
  const ttls: number[] = [];
  for (let i = 0; i < count; i++) {
    ttls.push(body.length + 6);
    body.push(0xc0, 12, 0, 1, 0, 1, 0x11, 0x22, 0x33, 0x44, dataLength >> 8, dataLength & 255);
    for (let k = 0; k < dataLength; k++) body.push((i * 37 + k * 11 + 1) & 255);
  }
  return { body, ttls };
}

export interface Memories {
  conf: Uint8Array;
  buckets: Uint8Array;
  small: Uint8Array;
  large: Uint8Array;
}

/** The numbers of the slots that were given out. */
export interface Used {
  small: number;
  large: number;
}

export function writeConf(
  memory: Uint8Array,
  options: {
    aliveUntil: bigint;
    buckets: number;
    endpoints: readonly { address: readonly number[]; port: number }[];
  },
): void {
  const view = viewOf(memory);
  memory.fill(0, 0, CONF_SIZE);
  view.setBigUint64(CONF.ALIVE_UNTIL, options.aliveUntil, true);
  view.setUint32(CONF.SEED, SEED, true);
  view.setUint32(CONF.GENERATION, GENERATION, true);
  view.setUint32(CONF.BUCKET_MASK, options.buckets - 1, true);
  view.setUint32(CONF.ENDPOINTS, options.endpoints.length, true);
  options.endpoints.forEach(({ address, port }, i) => {
    const at = CONF.ENDPOINT + i * ENDPOINT_SIZE;
    memory.set(address, at + ENDPOINT.ADDRESS);
    view.setUint16(at + ENDPOINT.PORT, port);
    view.setUint16(at + ENDPOINT.FAMILY, address.length === 4 ? 4 : 6, true);
  });
}

/** Writes an entry; returns its slot's place, and the memory it is in. */
export function writeEntry(
  memories: Memories,
  used: Used,
  entry: Entry,
  now: bigint,
): { kind: "small" | "large"; at: number } {
  const { endpoint = 0, name, qtype = 1, key = 0, body, ttls } = entry;
  const octets = nameOctets(name.toLowerCase());
  const padded = Math.ceil(body.length / 8) * 8;
  const size = padded + Math.ceil(octets.length / 8) * 8;
  const isSmall = size <= SMALL_SLOT.sizeBytes - SMALL_SLOT.data && ttls.length <= SMALL_SLOT.ttls;
  const kind = isSmall ? "small" : "large";
  const { sizeBytes, data } = isSmall ? SMALL_SLOT : LARGE_SLOT;
  const number = ++used[kind];
  const at = number * sizeBytes;
  const hash = hashOf({ octets, qtype, key, endpoint });
  const slot = memories[kind].subarray(at, at + sizeBytes);
  const view = viewOf(slot);
  const { expires = 300n * SECOND, counts = [ttls.length, 0, 0] } = entry;
  slot.fill(0);
  view.setBigUint64(SLOT.EXPIRES, now + expires, true);
  view.setBigUint64(SLOT.REFRESH, now + (entry.refresh ?? expires), true);
  view.setUint32(SLOT.HASH, hash, true);
  view.setUint32(SLOT.GENERATION, entry.generation ?? GENERATION, true);
  view.setUint16(SLOT.ENDPOINT, endpoint, true);
  view.setUint16(SLOT.QTYPE, qtype, true);
  view.setUint16(SLOT.KEY, key, true);
  view.setUint16(SLOT.NAME_LENGTH, octets.length, true);
  view.setUint16(SLOT.BODY_LENGTH, body.length, true);
  view.setUint16(SLOT.FLAGS, entry.flags ?? 0x8080);
  counts.forEach((count, i) => view.setUint16(SLOT.COUNTS + 2 * i, count));
  view.setUint16(SLOT.LIMIT, entry.limit ?? 1232, true);
  view.setUint16(SLOT.PAYLOAD, entry.payload ?? 1232, true);
  view.setUint16(SLOT.TTL_COUNT, ttls.length, true);
  ttls.forEach((ttl, i) => view.setUint16(SLOT.TTLS + 2 * i, ttl, true));
  slot.set(body, data);
  slot.set(octets, data + padded);

  const buckets = viewOf(memories.buckets);
  const mask = viewOf(memories.conf).getUint32(CONF.BUCKET_MASK, true);
  const bucket = (entry.second ? hash >>> SECOND_BUCKET : hash) & mask;
  for (let way = 0; way < WAYS; way++) {
    const place = bucket * BUCKET_SIZE + 8 * way;
    if (buckets.getUint32(place + 4, true) !== 0) continue;
    buckets.setUint32(place, hash, true);
    buckets.setUint32(place + 4, isSmall ? number : (number | LARGE) >>> 0, true);
    return { kind, at };
  }
  throw new Error("The bucket is full");
}

function hashOf(
  question: { octets: readonly number[]; qtype: number; key: number; endpoint: number },
): number {
  const { octets, qtype, key, endpoint } = question;
  let hash = SEED;
  const mix = (word: number) => {
    word = rotated(Math.imul(word, 0xcc9e2d51), 15);
    hash = Math.imul(rotated(hash ^ Math.imul(word, 0x1b873593), 13), 5) + 0xe6546b64 | 0;
  };
  for (let i = 0; i < octets.length; i += 4) {
    mix(octets.slice(i, i + 4).reduce((word, octet, k) => word | octet << 8 * k, 0));
  }
  mix(qtype | key << 16 | endpoint << 24);
  hash = Math.imul(hash ^ hash >>> 16, 0x85ebca6b);
  hash = Math.imul(hash ^ hash >>> 13, 0xc2b2ae35);
  return (hash ^ hash >>> 16) >>> 0;
}

function rotated(word: number, bits: number): number {
  return word << bits | word >>> 32 - bits;
}
