/** Looks that may hang at a time; the runtime has 32 threads for them, and for other blocking work. */
const MAX_HANGING = 8;

/** A file could not be looked at in time, or not at all because too many cannot. */
export class FileHangs extends Error {
  constructor(path: string, why: string) {
    super(`Cannot read "${path}": ${why}`);
  }
}

interface Look {
  readonly result: Promise<unknown>;
  /** Rejects when the time is up. */
  readonly limit: Promise<never>;
  late: boolean;
}

/**
 * Looks at files whose file system may hang. Nobody can end a thread that waits in the kernel, so
 * the same look is never begun again before it has ended: whoever wants it meanwhile shares it, and
 * fails at once when its time is up already.
 */
export class BoundedLooks {
  readonly #limitMs: number;
  readonly #looks = new Map<string, Look>();
  #hanging = 0;

  /** @param limitMs - time for each look */
  constructor(limitMs: number) {
    this.#limitMs = limitMs;
  }

  /** What comes of `work` with a file. Rejects with its error, or with `FileHangs`. */
  async look<T>(kind: string, path: string, work: (path: string) => Promise<T>): Promise<T> {
    const key = `${kind} ${path}`;
    let look = this.#looks.get(key);
    if (look === undefined) {
      if (this.#hanging >= MAX_HANGING) {
        throw new FileHangs(path, `reading ${MAX_HANGING} other files hangs`);
      }
      look = this.#begin(key, path, work);
    }
    if (look.late) throw this.#tooLate(path);
    return await Promise.race([look.result, look.limit]) as T;
  }

  #begin(key: string, path: string, work: (path: string) => Promise<unknown>): Look {
    const limit = Promise.withResolvers<never>();
    const look: Look = { result: work(path), limit: limit.promise, late: false };
    const timer = setTimeout(() => {
      look.late = true;
      this.#hanging++;
      limit.reject(this.#tooLate(path));
    }, this.#limitMs);
    const ended = () => {
      clearTimeout(timer);
      if (look.late) this.#hanging--;
      this.#looks.delete(key);
    };
    look.result.then(ended, ended);
    // Nobody may wait for it any more.
    look.limit.catch(() => {});
    this.#looks.set(key, look);
    return look;
  }

  #tooLate(path: string): FileHangs {
    return new FileHangs(path, `it could not be read within ${this.#limitMs / 1000} s`);
  }
}
