/** Something from a module that is imported when it is first needed. */
export class Lazy<T> {
  readonly #import: () => Promise<T>;
  #loaded: { value: T } | null;

  constructor(load: () => Promise<T>, loaded: { value: T } | null = null) {
    this.#import = load;
    this.#loaded = loaded;
  }

  /** Something that is here already. */
  static of<T>(value: T): Lazy<T> {
    return new Lazy<T>(() => Promise.resolve(value), { value });
  }

  get isLoaded(): boolean {
    return this.#loaded !== null;
  }

  /** Throws `NotLoaded`. */
  get value(): T {
    if (this.#loaded === null) throw new NotLoaded([this]);
    return this.#loaded.value;
  }

  async load(): Promise<void> {
    if (this.#loaded !== null) return;
    try {
      this.#loaded = { value: await this.#import() };
    } catch (error) {
      throw new Error(`Cannot load a part of nodens: ${(error as Error).message}`);
    }
  }
}

/** Thrown instead of using modules that must be loaded first. */
export class NotLoaded extends Error {
  override readonly name = "NotLoaded";
  readonly missing: readonly Lazy<unknown>[];

  constructor(missing: readonly Lazy<unknown>[]) {
    super("Cannot use a part of nodens before it is loaded");
    this.missing = missing;
  }
}

/** Throws one `NotLoaded` for all that are missing. */
export function requireLoaded(parts: readonly Lazy<unknown>[]): void {
  const missing = parts.filter((part) => !part.isLoaded);
  if (missing.length > 0) throw new NotLoaded(missing);
}

/** Null if all are loaded: awaiting nothing keeps the start fast. */
export function loadAll(parts: readonly Lazy<unknown>[]): Promise<unknown> | null {
  const missing = parts.filter((part) => !part.isLoaded);
  return missing.length === 0 ? null : Promise.all(missing.map((part) => part.load()));
}

/** Runs `work`, and again whenever `load` has loaded what `work` lacked. */
export async function loadFor<T>(
  work: () => T,
  load: (parts: readonly Lazy<unknown>[]) => Promise<unknown> | null = loadAll,
): Promise<T> {
  for (;;) {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof NotLoaded)) throw error;
      await load(error.missing);
    }
  }
}
