import type { NameReader } from "./name_reader.ts";

/** Longest chain of aliases that is followed; more make an answer that is not kept. */
export const MAX_ALIASES = 32;

/** No record of the answer section makes an alias of the name. */
const NO_ALIAS = -1;
/** The chain forks (RFC 2181 section 10.1), closes in a loop, or is too long. */
export const NO_END = -2;

/**
 * The CNAME records of one answer section. Each of their names is read once, for its hash; only
 * names of equal hash are compared.
 */
export class AliasChain {
  readonly #owners = new Int32Array(MAX_ALIASES);
  readonly #ownerHashes = new Int32Array(MAX_ALIASES);
  readonly #targets = new Int32Array(MAX_ALIASES);
  readonly #targetHashes = new Int32Array(MAX_ALIASES);
  #count = 0;

  /** Forgets all records. */
  clear(): void {
    this.#count = 0;
  }

  /** Adds a record; both names have been found good. */
  add(names: NameReader, ownerAt: number, targetAt: number): void {
    if (this.#count < MAX_ALIASES) {
      this.#owners[this.#count] = ownerAt;
      this.#ownerHashes[this.#count] = names.hash(ownerAt);
      this.#targets[this.#count] = targetAt;
      this.#targetHashes[this.#count] = names.hash(targetAt);
    }
    this.#count++;
  }

  /** Whether the name at `at` is an alias, and of one name alone. */
  has(names: NameReader, at: number): boolean {
    return this.#find(names, at, names.hash(at)) >= 0;
  }

  /** Offset of the name at the end of the chain that begins with the one at `at`, or `NO_END`. */
  end(names: NameReader, at: number): number {
    if (this.#count === 0) return at;
    let name = at;
    let hash = names.hash(at);
    // Without a loop each hop takes another record.
    for (let hops = 0; hops <= this.#count; hops++) {
      const alias = this.#find(names, name, hash);
      if (alias === NO_ALIAS) return name;
      if (alias === NO_END) return NO_END;
      name = this.#targets[alias]!;
      hash = this.#targetHashes[alias]!;
    }
    return NO_END;
  }

  /** Number of the record that makes an alias of a name; `NO_ALIAS` or `NO_END`. */
  #find(names: NameReader, at: number, hash: number): number {
    if (this.#count > MAX_ALIASES) return NO_END;
    let found = NO_ALIAS;
    for (let i = 0; i < this.#count; i++) {
      if (this.#ownerHashes[i] !== hash || !names.isSame(this.#owners[i]!, at)) continue;
      if (found === NO_ALIAS) found = i;
      else if (!names.isSame(this.#targets[found]!, this.#targets[i]!)) return NO_END;
    }
    return found;
  }
}
