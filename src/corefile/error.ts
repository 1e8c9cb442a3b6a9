/** A line of a Corefile or an imported file, counted from 1. */
export interface Place {
  file: string;
  line: number;
}

/**
 * A fault in a Corefile: `Corefile:12: forward: unknown option "force-tcp" (did you mean "force_tcp"?)`.
 */
export class CorefileError extends SyntaxError {
  override readonly name = "CorefileError";
  readonly file: string;
  readonly line: number;

  /**
   * @param plugin - the directive; empty for a fault of the grammar
   * @param what - the fault and, in brackets, its remedy
   */
  constructor(place: Place, plugin: string, what: string) {
    super(`${place.file}:${place.line}: ${plugin === "" ? "" : `${plugin}: `}${what}`);
    this.file = place.file;
    this.line = place.line;
  }
}

/** All faults of a configuration; the message has one line for each. */
export class CorefileErrors extends AggregateError {
  override readonly name = "CorefileErrors";
  declare readonly errors: CorefileError[];
  readonly warnings: readonly string[];

  constructor(errors: CorefileError[], warnings: readonly string[] = []) {
    super(errors, errors.map((error) => error.message).join("\n"));
    this.warnings = warnings;
  }
}

const MAX_FAULTS = 100;
const MAX_WARNINGS = 100;

/** Stops reading; the faults are in `Faults`. */
export class TooManyFaults extends Error {}

/** Collects faults and warnings, so that one fault does not hide the others. */
export class Faults {
  readonly #errors: CorefileError[] = [];
  readonly #warnings = new Set<string>();
  readonly #ranks = new Map<string, number>();

  get empty(): boolean {
    return this.#errors.length === 0;
  }

  get warnings(): string[] {
    return [...this.#warnings];
  }

  /** Ranks a file after those added before. */
  addFile(file: string): void {
    if (!this.#ranks.has(file)) this.#ranks.set(file, this.#ranks.size);
  }

  /** Throws `TooManyFaults` with the hundredth fault. */
  add(error: CorefileError): void {
    this.#errors.push(error);
    if (this.#errors.length >= MAX_FAULTS) throw new TooManyFaults();
  }

  at(place: Place, what: string, plugin = ""): void {
    this.add(new CorefileError(place, plugin, what));
  }

  /** For what is legal but probably not meant. */
  warn({ file, line }: Place, text: string): void {
    if (this.#warnings.size < MAX_WARNINGS) this.#warnings.add(`${file}:${line}: ${text}`);
  }

  /** Adds the `CorefileError` that `read` throws. */
  collect(read: () => void): void {
    try {
      read();
    } catch (error) {
      if (!(error instanceof CorefileError)) throw error;
      this.add(error);
    }
  }

  toErrors(): CorefileErrors {
    const rank = (error: CorefileError) => this.#ranks.get(error.file) ?? this.#ranks.size;
    const errors = this.#errors.toSorted((a, b) => rank(a) - rank(b) || a.line - b.line);
    if (errors.length >= MAX_FAULTS) {
      const what = `${MAX_FAULTS} faults so far: the rest was not checked`;
      errors.push(new CorefileError(this.#errors.at(-1)!, "", what));
    }
    return new CorefileErrors(errors, this.warnings);
  }
}
