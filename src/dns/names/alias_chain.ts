import type { NameReader } from "./name_reader.ts";

/** Longer chains are not cached. */
export const MAX_ALIASES = 32;

const NO_ALIAS = -1;
/** Forked (RFC 2181 section 10.1), looping or too long. */
export const NO_END = -2;

/** An answer section's CNAMEs, compared by hash first. */
export class AliasChain {
  readonly #owners = new Int32Array(MAX_ALIASES);
  readonly #ownerHashes = new Int32Array(MAX_ALIASES);
  readonly #targets = new Int32Array(MAX_ALIASES);
  readonly #targetHashes = new Int32Array(MAX_ALIASES);
  #count = 0;

  clear(): void {
    this.#count = 0;
  }

  add(names: NameReader, ownerAt: number, targetAt: number): void {
    if (this.#count < MAX_ALIASES) {
      this.#owners[this.#count] = ownerAt;
      this.#ownerHashes[this.#count] = names.hash(ownerAt);
      this.#targets[this.#count] = targetAt;
      this.#targetHashes[this.#count] = names.hash(targetAt);
    }
    this.#count++;
  }

  /** Exactly one target. */
  has(names: NameReader, at: number): boolean {
    return this.#find(names, at, names.hash(at)) >= 0;
  }

  /** Last name, or `NO_END`. */
  end(names: NameReader, at: number): number {
    if (this.#count === 0) return at;
    let name = at;
    let hash = names.hash(at);
    // Without a loop, each hop uses another record.
    for (let hops = 0; hops <= this.#count; hops++) {
      const alias = this.#find(names, name, hash);
      if (alias < 0) return alias === NO_ALIAS ? name : NO_END;
      name = this.#targets[alias]!;
      hash = this.#targetHashes[alias]!;
    }
    return NO_END;
  }

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
