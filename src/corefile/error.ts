/** A line of a Corefile or imported file, counted from 1. */
export interface Place {
  file: string;
  line: number;
}

/** A fault in a Corefile, with place and remedy. */
export class CorefileError extends SyntaxError {
  override readonly name = "CorefileError";
  readonly file: string;
  readonly line: number;

  /** @param plugin - the directive; empty for a grammar fault */
  constructor(place: Place, plugin: string, what: string) {
    super(`${place.file}:${place.line}: ${plugin === "" ? "" : `${plugin}: `}${what}`);
    this.file = place.file;
    this.line = place.line;
  }
}

/** All faults of a configuration, one per line. */
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

/** Collects faults and warnings. */
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

  addFile(file: string): void {
    if (!this.#ranks.has(file)) this.#ranks.set(file, this.#ranks.size);
  }

  /** Throws `TooManyFaults` at the hundredth fault. */
  add(error: CorefileError): void {
    this.#errors.push(error);
    if (this.#errors.length >= MAX_FAULTS) throw new TooManyFaults();
  }

  at(place: Place, what: string, plugin = ""): void {
    this.add(new CorefileError(place, plugin, what));
  }

  /** Reports something legal but probably unintended. */
  warn({ file, line }: Place, text: string): void {
    if (this.#warnings.size < MAX_WARNINGS) this.#warnings.add(`${file}:${line}: ${text}`);
  }

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
