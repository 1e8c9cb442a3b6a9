/** Entry of a `List`. */
export interface Node {
  readonly key: number;
  value: number;
  /** Uses since the policy's last visit. */
  uses: number;
  newer: Node | null;
  older: Node | null;
}

/** A doubly linked list from newest to oldest. */
export class List {
  newest: Node | null = null;
  oldest: Node | null = null;
  size = 0;

  /** Adds a node at the newest end. */
  push(node: Node): void {
    node.older = this.newest;
    node.newer = null;
    if (this.newest === null) this.oldest = node;
    else this.newest.newer = node;
    this.newest = node;
    this.size++;
  }

  remove(node: Node): void {
    if (node.newer === null) this.newest = node.older;
    else node.newer.older = node.older;
    if (node.older === null) this.oldest = node.newer;
    else node.older.newer = node.newer;
    node.newer = null;
    node.older = null;
    this.size--;
  }

  /** Removes the oldest node; the list must not be empty. */
  shift(): Node {
    const node = this.oldest!;
    this.remove(node);
    return node;
  }
}

/** Creates a node outside any list. */
export function createNode(key: number, value: number): Node {
  return { key, value, uses: 0, newer: null, older: null };
}
