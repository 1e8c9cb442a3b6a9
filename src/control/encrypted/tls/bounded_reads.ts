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

/**
 * Returns a time-limited read that rejects with its error or `FileHangs`. Kernel waits cannot be
 * cancelled: callers share pending reads.
 */
export function boundedReads(limitMs: number, clock: Clock) {
  const reads = new Map<string, Read>();
  let hanging = 0;
  const begin = (path: string, result: Promise<unknown>, late: () => FileHangs): Read => {
    const limit = Promise.withResolvers<never>();
    const read: Read = { result, limit: limit.promise, late: false };
    const cancel = clock.after(limitMs, () => {
      read.late = true;
      hanging++;
      limit.reject(late());
    });
    const ended = () => {
      cancel();
      if (read.late) hanging--;
      reads.delete(path);
    };
    result.then(ended, ended);
    // A failure without callers is not an error.
    limit.promise.catch(() => {});
    reads.set(path, read);
    return read;
  };
  return async <T>(path: string, work: () => Promise<T>): Promise<T> => {
    const late = () => new FileHangs(path, `it could not be read within ${limitMs / 1000} s`);
    let read = reads.get(path);
    if (read === undefined) {
      if (hanging >= MAX_HANGING) throw new FileHangs(path, `${MAX_HANGING} other files hang`);
      read = begin(path, work(), late);
    }
    if (read.late) throw late();
    return await Promise.race([read.result, read.limit]) as T;
  };
}
