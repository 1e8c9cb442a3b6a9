/** A kernel file or socket to write to. Never blocks. */
export interface Sink<T> {
  write(what: T): boolean;
  close(): void;
}

/** Lists of `-m recent`, kept open for writing. */
export class RecentLists {
  readonly #openList: (name: string) => Sink<string>;
  readonly #open = new Map<string, Sink<string>>();

  /** @param openList - opens a list, which exists only while a rule refers to it; throws */
  constructor(openList: (name: string) => Sink<string>) {
    this.#openList = openList;
  }

  write(name: string, text: string): string | null {
    // A list that was removed with its last rule and recreated is another file.
    for (let attempt = 0; attempt < 2; attempt++) {
      let list = this.#open.get(name);
      try {
        list ??= this.#openList(name);
      } catch (error) {
        return (error as Error).message;
      }
      this.#open.set(name, list);
      if (list.write(text)) return null;
      list.close();
      this.#open.delete(name);
    }
    return `the kernel refused "${text}" for the list "${name}"`;
  }

  closeExcept(names: ReadonlySet<string>): void {
    for (const [name, list] of this.#open) {
      if (names.has(name)) continue;
      list.close();
      this.#open.delete(name);
    }
  }
}
