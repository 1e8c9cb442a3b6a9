import { createNode, List, type Node } from "./list.ts";
import type { Policy } from "./policy.ts";

const SMALL_SHARE = 0.1;
const MAX_USES = 3;

/**
 * S3-FIFO (Yang et al., SOSP 2023): a small queue for new entries, a main queue, and a ghost queue.
 *
 * Entries evicted unused from the small queue leave their keys in the ghost queue, which is as long
 * as the main one; a returning key found there goes to the main queue.
 */
export class S3FifoPolicy implements Policy {
  readonly #nodes = new Map<number, Node>();
  readonly #small = new List();
  readonly #main = new List();
  readonly #ghost = new List();
  readonly #ghostNodes = new Map<number, Node>();
  readonly #capacity: number;
  readonly #smallSize: number;

  constructor(capacity: number) {
    this.#capacity = capacity;
    this.#smallSize = Math.max(1, Math.floor(capacity * SMALL_SHARE));
  }

  get(key: number): number | undefined {
    const node = this.#nodes.get(key);
    if (node === undefined) return undefined;
    if (node.uses < MAX_USES) node.uses++;
    return node.value;
  }

  put(key: number, value: number): void {
    const known = this.#nodes.get(key);
    if (known !== undefined) {
      known.value = value;
      return;
    }
    while (this.#nodes.size >= this.#capacity) this.#evict();
    const node = createNode(key, value);
    this.#nodes.set(key, node);
    const ghost = this.#ghostNodes.get(key);
    if (ghost === undefined) {
      this.#small.push(node);
    } else {
      this.#ghost.remove(ghost);
      this.#ghostNodes.delete(key);
      this.#main.push(node);
    }
  }

  #evict(): void {
    if (this.#small.size >= this.#smallSize || this.#main.size === 0) this.#evictSmall();
    else this.#evictMain();
  }

  #evictSmall(): void {
    while (this.#small.size > 0) {
      const node = this.#small.shift();
      if (node.uses > 1) {
        node.uses = 0;
        this.#main.push(node);
        if (this.#main.size > this.#capacity - this.#smallSize) {
          this.#evictMain();
          return;
        }
        continue;
      }
      this.#nodes.delete(node.key);
      this.#remember(node.key);
      return;
    }
  }

  #evictMain(): void {
    for (;;) {
      const node = this.#main.shift();
      if (node.uses === 0) {
        this.#nodes.delete(node.key);
        return;
      }
      node.uses--;
      this.#main.push(node);
    }
  }

  #remember(key: number): void {
    if (this.#ghost.size >= this.#capacity - this.#smallSize) {
      this.#ghostNodes.delete(this.#ghost.shift().key);
    }
    const node = createNode(key, 0);
    this.#ghostNodes.set(key, node);
    this.#ghost.push(node);
  }
}
