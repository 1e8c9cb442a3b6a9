import { createNode, List, type Node } from "./list.ts";
import type { Policy } from "./policy.ts";

/**
 * SIEVE (Zhang et al., NSDI 2024): one queue in order of arrival and a hand.
 *
 * The hand moves from oldest to newest; entries used since its last visit stay, the first unused
 * one is evicted.
 */
export class SievePolicy implements Policy {
  readonly #nodes = new Map<number, Node>();
  readonly #list = new List();
  readonly #capacity: number;
  #hand: Node | null = null;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get(key: number): number | undefined {
    const node = this.#nodes.get(key);
    if (node === undefined) return undefined;
    node.uses = 1;
    return node.value;
  }

  put(key: number, value: number): void {
    const known = this.#nodes.get(key);
    if (known !== undefined) {
      known.value = value;
      return;
    }
    if (this.#list.size >= this.#capacity) this.#evict();
    const node = createNode(key, value);
    this.#nodes.set(key, node);
    this.#list.push(node);
  }

  #evict(): void {
    let node = this.#hand ?? this.#list.oldest!;
    while (node.uses > 0) {
      node.uses = 0;
      node = node.newer ?? this.#list.oldest!;
    }
    this.#hand = node.newer;
    this.#list.remove(node);
    this.#nodes.delete(node.key);
  }
}
