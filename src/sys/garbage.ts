/**
 * Collects garbage that V8 does not see. Buffers lie outside its heap: a thread that drops 4 KiB
 * buffers grows to 150 MB and more, whatever `--max-heap-size` says. V8's heap flags have no effect at
 * run time, so nodens counts what it allocates and requests collections.
 */

/** `minor` examines new objects alone and takes about a millisecond; `major` takes some ten. */
type Collect = (options: { type: "minor" | "major"; flavor?: "last-resort" }) => void;

/** A major collection follows this many: objects that survived become garbage later. */
const MINOR_COLLECTIONS = 8;
/** Heap growth worth ten milliseconds of a thread that has little to do. */
const GROWN_BYTES = 4 * 2 ** 20;

let collect: Collect | null = null;

/** V8's function under `--expose-gc`, which the shipped nodens has; else null. */
function exposed(): Collect | null {
  return (globalThis as { gc?: Collect }).gc ?? null;
}

/** V8's function from another context, which takes memory. */
function fromContext(): Collect {
  process.getBuiltinModule("node:v8").setFlagsFromString("--expose-gc");
  return process.getBuiltinModule("node:vm").runInNewContext("gc");
}

/** Collects all garbage of this thread and shrinks its heap, if that takes no memory itself. */
export function collectAtRest(): void {
  exposed()?.({ type: "major", flavor: "last-resort" });
}

/** Calls `collectAtRest` when the heap has grown in a burst. */
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

/** Collects this thread's garbage whenever `limitBytes` were allocated outside the heap. */
export class GarbageWatch {
  limitBytes: number;
  readonly #collect: Collect;
  #collectedBytes = 0;
  #collections = 0;

  constructor(limitBytes: number, run?: Collect) {
    this.limitBytes = limitBytes;
    this.#collect = run ?? ((options) => (collect ??= exposed() ?? fromContext())(options));
  }

  /** Collects if it is time. `allocatedBytes` is the total ever allocated. */
  look(allocatedBytes: number): void {
    if (allocatedBytes - this.#collectedBytes < this.limitBytes) return;
    this.#collectedBytes = allocatedBytes;
    const major = ++this.#collections % MINOR_COLLECTIONS === 0;
    this.#collect({ type: major ? "major" : "minor" });
  }
}
