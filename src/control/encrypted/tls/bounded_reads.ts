import type { Clock } from "../../../base/clock.ts";

/** The runtime has 32 threads for blocking work. */
const MAX_HANGING = 8;

/** Read timeout, or too many hanging reads. */
export class FileHangs extends Error {
  constructor(path: string, why: string) {
    super(`Cannot read "${path}": ${why}`);
  }
}

interface Read {
  readonly result: Promise<unknown>;
  readonly limit: Promise<never>;
  late: boolean;
}

/** Reads with a time limit. Kernel waits cannot be cancelled, so callers share a pending read. */
export class BoundedReads {
  readonly #limitMs: number;
  readonly #clock: Clock;
  readonly #reads = new Map<string, Read>();
  #hanging = 0;

  constructor(limitMs: number, clock: Clock) {
    this.#limitMs = limitMs;
    this.#clock = clock;
  }

  /** Runs or joins `work`. Rejects with its error or `FileHangs`. */
  async run<T>(path: string, work: () => Promise<T>): Promise<T> {
    const late = () => new FileHangs(path, `it could not be read within ${this.#limitMs / 1000} s`);
    let read = this.#reads.get(path);
    if (read === undefined) {
      if (this.#hanging >= MAX_HANGING) {
        throw new FileHangs(path, `${MAX_HANGING} other files hang`);
      }
      read = this.#begin(path, work(), late);
    }
    if (read.late) throw late();
    return await Promise.race([read.result, read.limit]) as T;
  }

  #begin(path: string, result: Promise<unknown>, late: () => FileHangs): Read {
    const limit = Promise.withResolvers<never>();
    const read: Read = { result, limit: limit.promise, late: false };
    const cancel = this.#clock.after(this.#limitMs, () => {
      read.late = true;
      this.#hanging++;
      limit.reject(late());
    });
    const ended = () => {
      cancel();
      if (read.late) this.#hanging--;
      this.#reads.delete(path);
    };
    result.then(ended, ended);
    // A failure without callers left is not an error.
    limit.promise.catch(() => {});
    this.#reads.set(path, read);
    return read;
  }
}
