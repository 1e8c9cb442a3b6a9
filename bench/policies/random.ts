import type { Policy } from "./policy.ts";

const SHARDS = 256;
const MIN_SHARD = 4;

/**
 * CoreDNS's eviction: 256 equal shards; a full shard drops any of its entries. Capacity is rounded
 * down to a multiple of 256, at least four per shard.
 */
export class RandomPolicy implements Policy {
  readonly #shards: { keys: number[]; values: Map<number, number> }[] = [];
  readonly #shardSize: number;
  readonly #random: () => number;

  constructor(capacity: number, random: () => number) {
    this.#shardSize = Math.max(Math.floor(capacity / SHARDS), MIN_SHARD);
    this.#random = random;
    for (let i = 0; i < SHARDS; i++) this.#shards.push({ keys: [], values: new Map() });
  }

  get(key: number): number | undefined {
    return this.#shard(key).values.get(key);
  }

  put(key: number, value: number): void {
    const { keys, values } = this.#shard(key);
    if (!values.has(key)) {
      if (keys.length >= this.#shardSize) {
        const victim = Math.floor(this.#random() * keys.length);
        values.delete(keys[victim]!);
        keys[victim] = key;
      } else {
        keys.push(key);
      }
    }
    values.set(key, value);
  }

  #shard(key: number) {
    // Sequential numbers would fill the shards evenly, unlike hashes of names.
    const hash = Math.imul(key ^ (key >>> 15), 0x85ebca6b);
    return this.#shards[(hash ^ (hash >>> 13)) & (SHARDS - 1)]!;
  }
}
