/**
 * Collects buffers, which V8 does not see: dropping 4 KiB buffers grows a thread past 150 MB
 * despite `--max-heap-size`. Heap flags have no effect at run time, so nodens counts allocations.
 */

/** `minor`: new objects, about 1 ms; `major`: about 10. */
type Collect = (options: { type: "minor" | "major"; flavor?: "last-resort" }) => void;

/** A major one also frees survivors. */
const MINOR_COLLECTIONS = 8;
/** Worth ten milliseconds of an idle thread. */
const GROWN_BYTES = 4 * 2 ** 20;

let collect: Collect | null = null;

/** Needs `--expose-gc`. */
function exposed(): Collect | null {
  return (globalThis as { gc?: Collect }).gc ?? null;
}

function fromContext(): Collect {
  process.getBuiltinModule("node:v8").setFlagsFromString("--expose-gc");
  return process.getBuiltinModule("node:vm").runInNewContext("gc");
}

/** Collects this thread's garbage and shrinks its heap. */
export function collectAtRest(): void {
  exposed()?.({ type: "major", flavor: "last-resort" });
}

/** Calls `collectAtRest` after the heap has grown. */
export class RestCollector {
  readonly #sizeBytes: () => number;
  readonly #collect: () => void;
  #leftBytes = 0;

  constructor(sizeBytes = heapBytes, collect = collectAtRest) {
    this.#sizeBytes = sizeBytes;
    this.#collect = collect;
  }

  look(): void {
    if (this.#sizeBytes() - this.#leftBytes < GROWN_BYTES) return;
    this.#collect();
    this.#leftBytes = this.#sizeBytes();
  }
}

function heapBytes(): number {
  return Deno.memoryUsage().heapTotal;
}

/** Collects after each `limitBytes` allocated outside the heap. */
export class GarbageWatch {
  limitBytes: number;
  readonly #collect: Collect;
  #collectedBytes = 0;
  #collections = 0;

  constructor(limitBytes: number, run?: Collect) {
    this.limitBytes = limitBytes;
    this.#collect = run ?? ((options) => (collect ??= exposed() ?? fromContext())(options));
  }

  look(allocatedBytes: number): void {
    if (allocatedBytes - this.#collectedBytes < this.limitBytes) return;
    this.#collectedBytes = allocatedBytes;
    const major = ++this.#collections % MINOR_COLLECTIONS === 0;
    this.#collect({ type: major ? "major" : "minor" });
  }
}
