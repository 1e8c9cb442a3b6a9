import {
  BUCKET_SIZE,
  CONF,
  CONF_SIZE,
  ENDPOINT,
  ENDPOINT_SIZE,
  LARGE,
  LARGE_SLOT,
  MAX_ANSWER,
  SECOND_BUCKET,
  SLOT,
  SMALL_SLOT,
  WAYS,
} from "../../../src/engine/kernel/layout.ts";
import type { KernelMemory } from "../../../src/engine/kernel/table.ts";

/** Memory for so many small slots; a 32nd as many large ones. */
export function kernelMemory(small = 1024): KernelMemory {
  return {
    conf: new ArrayBuffer(CONF_SIZE),
    buckets: new ArrayBuffer(BUCKET_SIZE * small / 4),
    small: new ArrayBuffer(SMALL_SLOT.sizeBytes * small),
    large: new ArrayBuffer(LARGE_SLOT.sizeBytes * small / 32),
  };
}

/** What the program in the kernel does with the UDP payload of a query to an endpoint. */
export class ProgramModel {
  readonly #memory: KernelMemory;
  readonly #conf: DataView;

  constructor(memory: KernelMemory) {
    this.#memory = memory;
    this.#conf = new DataView(memory.conf);
  }

  /** Number of the endpoint of this address and port, or -1. */
  endpoint(address: Uint8Array, port: number): number {
    const conf = this.#conf;
    for (let i = 0; i < conf.getUint32(CONF.ENDPOINTS, true); i++) {
      const at = CONF.ENDPOINT + i * ENDPOINT_SIZE;
      const family = conf.getUint16(at + ENDPOINT.FAMILY, true);
      const found = address.length === (family === 4 ? 4 : 16) &&
        address.every((octet, k) => octet === conf.getUint8(at + k)) &&
        port === conf.getUint16(at + ENDPOINT.PORT);
      if (found) return i;
    }
    return -1;
  }

  /** The answer, or null if the query passes. */
  answer(query: Uint8Array, endpoint: number, nowMs: number): Uint8Array | null {
    const now = BigInt(Math.round(nowMs * 1e6));
    if (query.length < 17 || query.length > 12 + 255 + 4 + 11) return null;
    const view = new DataView(query.buffer, query.byteOffset, query.length);
    const flags = view.getUint16(2);
    const additional = view.getUint16(10);
    if ((flags & ~0x0130) !== 0 || view.getUint16(4) !== 1 || view.getUint32(6) !== 0) return null;
    if (additional > 1) return null;
    const edns = additional === 1;
    const nameLength = query.length - 16 - (edns ? 11 : 0);
    const tail = 12 + nameLength;
    if (nameLength < 1 || nameLength > 255 || view.getUint16(tail + 2) !== 1) return null;
    let limit = 512;
    let key = (flags & 0x10) !== 0 ? 2 : 0;
    if (edns) {
      const opt = tail + 4;
      const plain = query[opt] === 0 && view.getUint16(opt + 1) === 41 &&
        view.getUint16(opt + 5) === 0 && (view.getUint16(opt + 7) & 0x7fff) === 0 &&
        view.getUint16(opt + 9) === 0;
      if (!plain) return null;
      limit = view.getUint16(opt + 3);
      if (view.getUint16(opt + 7) !== 0) key |= 1;
    }
    const qtype = view.getUint16(tail);
    const name = query.slice(12, tail).map((c) => c >= 65 && c <= 90 ? c + 32 : c);
    const slot = this.#find(name, { qtype, key, endpoint });
    if (slot === null) return null;
    const generation = this.#conf.getUint32(CONF.GENERATION, true);
    if (slot.getUint32(SLOT.GENERATION, true) !== generation) return null;
    if (now >= this.#conf.getBigUint64(CONF.ALIVE_UNTIL, true)) return null;
    const expires = slot.getBigUint64(SLOT.EXPIRES, true);
    if (now >= expires || now >= slot.getBigUint64(SLOT.REFRESH, true)) return null;
    const data = slot.byteLength === SMALL_SLOT.sizeBytes ? SMALL_SLOT.data : LARGE_SLOT.data;
    const body = slot.getUint16(SLOT.BODY_LENGTH, true);
    const length = tail + 4 + body + (edns ? 11 : 0);
    limit = Math.max(512, Math.min(limit, slot.getUint16(SLOT.LIMIT, true)));
    if (length > Math.min(limit, MAX_ANSWER)) return null;
    const answer = new Uint8Array(length);
    const out = new DataView(answer.buffer);
    answer.set(query.subarray(0, tail + 4));
    answer.set(new Uint8Array(slot.buffer, slot.byteOffset + data, body), tail + 4);
    let outFlags = slot.getUint16(SLOT.FLAGS) | (flags & 0x0110);
    if ((key & 1) === 0 && (flags & 0x20) === 0) outFlags &= ~0x20;
    out.setUint16(2, outFlags);
    for (let i = 0; i < 3; i++) out.setUint16(6 + 2 * i, slot.getUint16(SLOT.COUNTS + 2 * i));
    const ttl = Number((expires - now + 999_999_999n) / 1_000_000_000n);
    for (let i = 0; i < slot.getUint16(SLOT.TTL_COUNT, true); i++) {
      out.setUint32(tail + 4 + slot.getUint16(SLOT.TTLS + 2 * i, true), ttl);
    }
    if (edns) {
      const opt = tail + 4 + body;
      out.setUint16(opt + 1, 41);
      out.setUint16(opt + 3, slot.getUint16(SLOT.PAYLOAD, true));
      out.setUint16(opt + 7, (key & 1) << 15);
      out.setUint16(10, out.getUint16(10) + 1);
    }
    const count = edns ? SLOT.ANSWERS_EDNS : SLOT.ANSWERS;
    slot.setUint32(count, slot.getUint32(count, true) + 1, true);
    return answer;
  }

  #find(name: Uint8Array, asked: Asked): DataView | null {
    const { buckets, small, large } = this.#memory;
    const hash = hashOf(name, asked, this.#conf.getUint32(CONF.SEED, true));
    const mask = this.#conf.getUint32(CONF.BUCKET_MASK, true);
    const view = new DataView(buckets);
    for (const bucket of [hash & mask, (hash >>> SECOND_BUCKET) & mask]) {
      for (let way = 0; way < WAYS; way++) {
        const at = bucket * BUCKET_SIZE + 8 * way;
        const number = view.getUint32(at + 4, true);
        if (number === 0 || view.getUint32(at, true) !== hash) continue;
        const isLarge = (number & LARGE) !== 0;
        const { sizeBytes, data } = isLarge ? LARGE_SLOT : SMALL_SLOT;
        const start = (number & ~LARGE) * sizeBytes;
        const slot = new DataView(isLarge ? large : small, start, sizeBytes);
        const same = slot.getUint32(SLOT.HASH, true) === hash &&
          slot.getUint16(SLOT.ENDPOINT, true) === asked.endpoint &&
          slot.getUint16(SLOT.QTYPE, true) === asked.qtype &&
          slot.getUint16(SLOT.KEY, true) === asked.key &&
          slot.getUint16(SLOT.NAME_LENGTH, true) === name.length;
        if (!same) continue;
        const nameAt = data + ((slot.getUint16(SLOT.BODY_LENGTH, true) + 7) & ~7);
        if (name.every((octet, i) => octet === slot.getUint8(nameAt + i))) return slot;
      }
    }
    return null;
  }
}

interface Asked {
  qtype: number;
  /** DO 1, CD 2. */
  key: number;
  endpoint: number;
}

function hashOf(name: Uint8Array, { qtype, key, endpoint }: Asked, seed: number): number {
  const padded = new Uint8Array((name.length + 3) & ~3);
  padded.set(name);
  const words = new DataView(padded.buffer);
  const rotate = (value: number, by: number) => (value << by) | (value >>> (32 - by));
  const mix = (hash: number, word: number) => {
    const k = Math.imul(rotate(Math.imul(word, 0xcc9e2d51), 15), 0x1b873593);
    return Math.imul(rotate(hash ^ k, 13), 5) + 0xe6546b64;
  };
  let hash = seed;
  for (let at = 0; at < padded.length; at += 4) hash = mix(hash, words.getUint32(at, true));
  const bits = qtype | ((key & 1) << 16) | ((key >> 1) << 17) | (endpoint << 24);
  hash = mix(hash, bits) >>> 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
