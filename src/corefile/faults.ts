import { CorefileError, CorefileErrors } from "./error.ts";

/** After so many faults reading stops: the first of them will help more than the rest. */
const MAX_FAULTS = 100;

/** Thrown to stop reading; `Faults.toErrors` has what is to be said. */
export class TooManyFaults extends Error {}

/** Collects the faults of a configuration, so that one does not hide the others. */
export class Faults {
  readonly #errors: CorefileError[] = [];
  /** Files in the order in which they were met, which is the order to report them in. */
  readonly #files = new Map<string, number>();

  /** Whether there is none. */
  get empty(): boolean {
    return this.#errors.length === 0;
  }

  /** Says that a file comes next in the order of reporting. */
  addFile(file: string): void {
    if (!this.#files.has(file)) this.#files.set(file, this.#files.size);
  }

  /** Adds a fault. Throws `TooManyFaults` with the hundredth. */
  add(error: CorefileError): void {
    this.#errors.push(error);
    if (this.#errors.length >= MAX_FAULTS) throw new TooManyFaults();
  }

  /** Runs something and adds the fault that it throws; anything else passes through. */
  collect(read: () => void): void {
    try {
      read();
    } catch (error) {
      if (!(error instanceof CorefileError)) throw error;
      this.add(error);
    }
  }

  /** What was collected, in the order of files and lines. */
  toErrors(warnings: readonly string[] = []): CorefileErrors {
    const last = this.#errors.at(-1);
    const more = last === undefined || this.#errors.length < MAX_FAULTS
      ? []
      : [new CorefileError(last, "", `${MAX_FAULTS} faults so far: the rest was not looked at`)];
    const rank = (error: CorefileError) => this.#files.get(error.file) ?? this.#files.size;
    const sorted = [...this.#errors].sort((a, b) => rank(a) - rank(b) || a.line - b.line);
    return new CorefileErrors([...sorted, ...more], warnings);
  }
}
