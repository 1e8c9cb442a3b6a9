import type { NameReader } from "./name_reader.ts";

/** Longest chain of aliases that is followed; more make an answer that is not kept. */
export const MAX_ALIASES = 32;

/** No record of the answer section makes an alias of the name. */
export const NO_ALIAS = -1;
/** The chain forks (RFC 2181 section 10.1), closes in a loop, or is too long. */
export const NO_END = -2;

/** The CNAME records of one answer section, each name resolved once. */
export class AliasChain {
  readonly #owners = new Int32Array(MAX_ALIASES);
  readonly #targets = new Int32Array(MAX_ALIASES);
  #count = 0;

  /** Forgets all records. */
  clear(): void {
    this.#count = 0;
  }

  /** Adds a record; both names have been found good. */
  add(names: NameReader, ownerAt: number, targetAt: number): void {
    if (this.#count < MAX_ALIASES) {
      this.#owners[this.#count] = names.resolve(ownerAt);
      this.#targets[this.#count] = names.resolve(targetAt);
    }
    this.#count++;
  }

  /** Offset of the name that the one at `at` is an alias of; `NO_ALIAS` or `NO_END`. */
  next(names: NameReader, at: number): number {
    if (this.#count > MAX_ALIASES) return NO_END;
    let target = NO_ALIAS;
    for (let i = 0; i < this.#count; i++) {
      if (!names.isSame(this.#owners[i]!, at)) continue;
      if (target === NO_ALIAS) target = this.#targets[i]!;
      else if (!names.isSame(target, this.#targets[i]!)) return NO_END;
    }
    return target;
  }

  /** Offset of the name at the end of the chain that begins with the one at `at`, or `NO_END`. */
  end(names: NameReader, at: number): number {
    let name = at;
    // Without a loop each hop takes another record.
    for (let hops = 0; hops <= this.#count; hops++) {
      const target = this.next(names, name);
      if (target === NO_ALIAS) return name;
      if (target === NO_END) return NO_END;
      name = target;
    }
    return NO_END;
  }
}
