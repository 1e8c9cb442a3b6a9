import { createNode, List, type Node } from "./list.ts";
import type { Policy } from "./policy.ts";

/** Evicts the least recently used entry. */
export class LruPolicy implements Policy {
  readonly #nodes = new Map<number, Node>();
  readonly #list = new List();
  readonly #capacity: number;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get(key: number): number | undefined {
    const node = this.#nodes.get(key);
    if (node === undefined) return undefined;
    this.#list.remove(node);
    this.#list.push(node);
    return node.value;
  }

  put(key: number, value: number): void {
    const known = this.#nodes.get(key);
    if (known !== undefined) {
      known.value = value;
      return;
    }
    if (this.#list.size >= this.#capacity) this.#nodes.delete(this.#list.shift().key);
    const node = createNode(key, value);
    this.#nodes.set(key, node);
    this.#list.push(node);
  }
}
