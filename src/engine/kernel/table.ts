import { HEADER_SIZE } from "../../dns/constants.ts";
import type { Memory } from "../memory.ts";
import { copyFolded, upperMask } from "../question/fold.ts";
import {
  CONF,
  ENDPOINT,
  ENDPOINT_SIZE,
  LARGE,
  LARGE_SLOT,
  MAX_ENDPOINTS,
  SECOND_BUCKET,
  SLOT,
  SMALL_SLOT,
  WAYS,
} from "./layout.ts";

/** The program may still read a slot that has just been taken back. */
const REST_MS = 1000;
/** Used slots examined for one without recent answers. */
const MAX_EXAMINED = 16;

/** The arrays of `layout.ts`. */
export interface KernelMemory {
  readonly conf: ArrayBuffer;
  readonly buckets: ArrayBuffer;
  readonly small: ArrayBuffer;
  readonly large: ArrayBuffer;
}

/** An address whose queries the program may answer. */
export interface KernelEndpoint {
  readonly family: 4 | 6;
  readonly bytes: Uint8Array;
  readonly port: number;
}

/** An answer to publish; reused. Times as of the engine. */
export class KernelAnswer {
  endpoint = 0;
  qtype = 0;
  /** DO 1, CD 2. */
  key = 0;
  nameLength = 0;
  /** Stored message: name in lower case. */
  memory!: Memory;
  offset = 0;
  length = 0;
  ttlsAt = 0;
  ttlCount = 0;
  flags = 0;
  limit = 0;
  payload = 0;
  expiresMs = 0;
  refreshMs = 0;
}

/** Slots of one size; number 0 is not used. */
class Slots {
  readonly bytes: Uint8Array;
  readonly halves: Uint16Array;
  readonly words: Int32Array;
  readonly count: number;
  readonly shape: typeof SMALL_SLOT | typeof LARGE_SLOT;
  /** Index of its first slot in the table. */
  readonly first: number;

  constructor(buffer: ArrayBuffer, shape: Slots["shape"], first: number) {
    this.bytes = new Uint8Array(buffer);
    this.halves = new Uint16Array(buffer);
    this.words = new Int32Array(buffer);
    this.count = Math.floor(buffer.byteLength / shape.sizeBytes);
    this.shape = shape;
    this.first = first;
  }

  /** Whether `answer` fits. */
  fits({ nameLength, length, ttlCount }: KernelAnswer): boolean {
    const { sizeBytes, ttls, data } = this.shape;
    const body = length - HEADER_SIZE - nameLength - 4;
    return ttlCount <= ttls && data + align(body) + align(nameLength) <= sizeBytes;
  }
}

/** Free slots of one size, oldest first. */
class FreeSlots {
  readonly #indices: Int32Array;
  readonly #sinceMs: Float64Array;
  #head = 0;
  #size = 0;

  constructor(count: number) {
    this.#indices = new Int32Array(count);
    this.#sinceMs = new Float64Array(count);
  }

  add(index: number, nowMs: number): void {
    const at = (this.#head + this.#size++) % this.#indices.length;
    this.#indices[at] = index;
    this.#sinceMs[at] = nowMs;
  }

  /** One that rested, or -1. */
  take(nowMs: number): number {
    if (this.#size === 0 || nowMs - this.#sinceMs[this.#head]! < REST_MS) return -1;
    const index = this.#indices[this.#head]!;
    this.#head = (this.#head + 1) % this.#indices.length;
    this.#size--;
    return index;
  }
}

/**
 * Published answers. The only writer: slots are written whole, then found by their number, and rest
 * before they are used again. The methods allocate nothing.
 */
export class KernelTable {
  readonly #conf: DataView;
  readonly #confWords: Int32Array;
  readonly #buckets: Int32Array;
  readonly #mask: number;
  readonly #seed: number;
  readonly #small: Slots;
  readonly #large: Slots;
  readonly #free: readonly [FreeSlots, FreeSlots];
  /** By slot: word in `buckets`, or -1. */
  readonly #places: Int32Array;
  #generation: number;
  #hand = 0;
  size = 0;

  constructor(memory: KernelMemory, seed: number, nowMs: number) {
    this.#conf = new DataView(memory.conf);
    this.#confWords = new Int32Array(memory.conf);
    this.#buckets = new Int32Array(memory.buckets);
    this.#mask = this.#buckets.length / (2 * WAYS) - 1;
    this.#seed = seed | 0;
    this.#small = new Slots(memory.small, SMALL_SLOT, 0);
    this.#large = new Slots(memory.large, LARGE_SLOT, this.#small.count);
    this.#free = [new FreeSlots(this.#small.count), new FreeSlots(this.#large.count)];
    this.#places = new Int32Array(this.#small.count + this.#large.count).fill(-1);
    this.#generation = this.#conf.getUint32(CONF.GENERATION, true);
    // Otherwise a previous thread has left answers.
    const isNew = this.#generation === 0;
    this.#nextGeneration();
    for (const { first, count } of [this.#small, this.#large]) {
      for (let i = 1; i < count; i++) {
        this.#freeOf(first + i).add(first + i, isNew ? -REST_MS : nowMs);
      }
    }
    this.#conf.setInt32(CONF.SEED, this.#seed, true);
    this.#conf.setUint32(CONF.BUCKET_MASK, this.#mask, true);
  }

  /** Slots are numbered from 0. */
  get slots(): number {
    return this.#places.length;
  }

  /** Until then the program answers. */
  set aliveUntilMs(ms: number) {
    // Without the carry the time is past, never too late.
    storeTime(this.#confWords, CONF.ALIVE_UNTIL, ms);
  }

  /** Takes everything back with one store. */
  clear(nowMs: number): void {
    this.#nextGeneration();
    for (let index = 0; this.size > 0; index++) {
      if (this.#places[index]! < 0) continue;
      this.#places[index] = -1;
      this.#freeOf(index).add(index, nowMs);
      this.size--;
    }
  }

  #nextGeneration(): void {
    this.#generation = (this.#generation + 1) | 0;
    Atomics.store(this.#confWords, CONF.GENERATION / 4, this.#generation);
    this.#buckets.fill(0);
  }

  /** Follows `clear`. At most `MAX_ENDPOINTS`. */
  setEndpoints(endpoints: readonly KernelEndpoint[]): void {
    this.#conf.setUint32(CONF.ENDPOINTS, 0, true);
    const all = new Uint8Array(this.#conf.buffer);
    for (const [i, { family, bytes, port }] of endpoints.slice(0, MAX_ENDPOINTS).entries()) {
      const at = CONF.ENDPOINT + i * ENDPOINT_SIZE;
      all.fill(0, at, at + ENDPOINT_SIZE);
      all.set(bytes.subarray(0, family === 4 ? 4 : 16), at + ENDPOINT.ADDRESS);
      this.#conf.setUint16(at + ENDPOINT.PORT, port);
      this.#conf.setUint16(at + ENDPOINT.FAMILY, family, true);
    }
    this.#conf.setUint32(CONF.ENDPOINTS, Math.min(endpoints.length, MAX_ENDPOINTS), true);
  }

  /** Slot of a new answer, or -1 without room. */
  put(answer: KernelAnswer, nowMs: number): number {
    const slots = this.#small.fits(answer) ? this.#small : this.#large;
    if (slots === this.#large && !slots.fits(answer)) return -1;
    const hash = this.#hash(answer);
    const place = this.#emptyPlace(hash);
    if (place < 0) return -1;
    const index = this.#freeOf(slots.first).take(nowMs);
    if (index < 0) return -1;
    this.#write(slots, index - slots.first, hash, answer);
    const { first } = slots;
    const number = slots === this.#small ? index : (index - first) | LARGE;
    this.#buckets[place - 1] = hash;
    Atomics.store(this.#buckets, place, number);
    this.#places[index] = place;
    this.size++;
    return index;
  }

  isUsed(index: number): boolean {
    return this.#places[index]! >= 0;
  }

  remove(index: number, nowMs: number): void {
    const place = this.#places[index]!;
    if (place < 0) return;
    Atomics.store(this.#buckets, place, 0);
    this.#places[index] = -1;
    this.#freeOf(index).add(index, nowMs);
    this.size--;
  }

  /** Answers of a slot since it was written; signed, may overflow. */
  answers(index: number): number {
    return this.#slotsOf(index).words[this.#wordOf(index) + SLOT.ANSWERS / 4]!;
  }

  /** As `answers`, with EDNS. */
  answersEdns(index: number): number {
    return this.#slotsOf(index).words[this.#wordOf(index) + SLOT.ANSWERS_EDNS / 4]!;
  }

  /** A field of two octets. */
  field(index: number, offset: number): number {
    return this.#slotsOf(index).halves[2 * this.#wordOf(index) + offset / 2]!;
  }

  /** Used slots in turn, to find one without recent answers; -1: none of a few. */
  idle(isIdle: (index: number) => boolean): number {
    for (let i = 0; i < MAX_EXAMINED; i++) {
      this.#hand = (this.#hand + 1) % this.slots;
      if (this.isUsed(this.#hand) && isIdle(this.#hand)) return this.#hand;
    }
    return -1;
  }

  #freeOf(index: number): FreeSlots {
    return this.#free[index < this.#large.first ? 0 : 1];
  }

  #slotsOf(index: number): Slots {
    return index < this.#large.first ? this.#small : this.#large;
  }

  #wordOf(index: number): number {
    const slots = this.#slotsOf(index);
    return (index - slots.first) * slots.shape.sizeBytes / 4;
  }

  #write(slots: Slots, slot: number, hash: number, answer: KernelAnswer): void {
    const { shape, bytes, halves, words } = slots;
    const { nameLength, memory, offset } = answer;
    const at = slot * shape.sizeBytes;
    const word = at / 4;
    const half = at / 2;
    const bodyAt = HEADER_SIZE + nameLength + 4;
    const body = answer.length - bodyAt;
    storeTime(words, at + SLOT.EXPIRES, answer.expiresMs);
    storeTime(words, at + SLOT.REFRESH, answer.refreshMs);
    words[word + SLOT.HASH / 4] = hash;
    words[word + SLOT.GENERATION / 4] = this.#generation;
    words[word + SLOT.ANSWERS / 4] = 0;
    words[word + SLOT.ANSWERS_EDNS / 4] = 0;
    halves[half + SLOT.ENDPOINT / 2] = answer.endpoint;
    halves[half + SLOT.QTYPE / 2] = answer.qtype;
    halves[half + SLOT.KEY / 2] = answer.key;
    halves[half + SLOT.NAME_LENGTH / 2] = nameLength;
    halves[half + SLOT.BODY_LENGTH / 2] = body;
    bytes[at + SLOT.FLAGS] = answer.flags >>> 8;
    bytes[at + SLOT.FLAGS + 1] = answer.flags;
    for (let i = 0; i < 6; i++) bytes[at + SLOT.COUNTS + i] = memory.bytes[offset + 6 + i]!;
    halves[half + SLOT.LIMIT / 2] = answer.limit;
    halves[half + SLOT.PAYLOAD / 2] = answer.payload;
    halves[half + SLOT.TTL_COUNT / 2] = answer.ttlCount;
    for (let i = 0; i < answer.ttlCount; i++) {
      const ttl = memory.view.getUint16(answer.ttlsAt + 2 * i, true);
      halves[half + SLOT.TTLS / 2 + i] = ttl - bodyAt;
    }
    let to = at + shape.data;
    for (let i = 0; i < body; i++) bytes[to + i] = memory.bytes[offset + bodyAt + i]!;
    to = fillUp(bytes, to, body);
    copyFolded(memory.bytes, offset + HEADER_SIZE, bytes, to, nameLength);
    fillUp(bytes, to, nameLength);
  }

  /** Word of a slot's number in one of both buckets, or -1. */
  #emptyPlace(hash: number): number {
    const first = this.#emptyIn(hash & this.#mask);
    return first >= 0 ? first : this.#emptyIn((hash >>> SECOND_BUCKET) & this.#mask);
  }

  #emptyIn(bucket: number): number {
    const start = bucket * 2 * WAYS;
    for (let at = start + 1; at < start + 2 * WAYS; at += 2) {
      if (this.#buckets[at] === 0) return at;
    }
    return -1;
  }

  #hash({ memory, offset, nameLength, qtype, key, endpoint }: KernelAnswer): number {
    const { bytes } = memory;
    const end = offset + HEADER_SIZE + nameLength;
    let hash = this.#seed;
    for (let at = offset + HEADER_SIZE; at < end; at += 4) {
      let word = 0;
      for (let i = 0; i < 4 && at + i < end; i++) word |= bytes[at + i]! << (8 * i);
      hash = mix(hash, word | upperMask(word));
    }
    hash = mix(hash, qtype | ((key & 1) << 16) | ((key & 2) << 16) | (endpoint << 24));
    hash ^= hash >>> 16;
    hash = Math.imul(hash, 0x85ebca6b);
    hash ^= hash >>> 13;
    hash = Math.imul(hash, 0xc2b2ae35);
    return hash ^ (hash >>> 16);
  }
}

/** Murmur3's step (Appleby, https://github.com/aappleby/smhasher). */
function mix(hash: number, word: number): number {
  const k = Math.imul(word, 0xcc9e2d51);
  const mixed = hash ^ Math.imul((k << 15) | (k >>> 17), 0x1b873593);
  return (Math.imul((mixed << 13) | (mixed >>> 19), 5) + 0xe6546b64) | 0;
}

/** Nanoseconds as two words, the lower one first. */
function storeTime(words: Int32Array, at: number, ms: number): void {
  const nanoseconds = Math.max(0, ms) * 1e6;
  const upper = Math.floor(nanoseconds / 2 ** 32);
  Atomics.store(words, at / 4, (nanoseconds - upper * 2 ** 32) | 0);
  Atomics.store(words, at / 4 + 1, upper);
}

function align(length: number): number {
  return (length + 7) & ~7;
}

/** Zeros to the next multiple of eight, which is returned. */
function fillUp(bytes: Uint8Array, at: number, length: number): number {
  const end = at + align(length);
  for (let i = at + length; i < end; i++) bytes[i] = 0;
  return end;
}
