/**
 * Collection of garbage that V8 does not see. Buffers lie outside its heap, and until tens of
 * megabytes of them are garbage it does nothing about it: by itself a thread that drops 4 KiB buffers
 * grows to 150 MB and more, whatever `--max-heap-size` says. No flag of V8's heap can be set while it
 * runs (`v8.setFlagsFromString` is taken and has no effect), so nodens counts what it allocates and
 * asks for a collection.
 */
import v8 from "node:v8";

/** `minor` looks at new objects alone, which takes about a millisecond; `major` takes some ten. */
export type Collection = "minor" | "major";

type Collect = (options: { type: Collection; flavor?: "last-resort" }) => void;

/** Collections of new objects before one of all: what had survived some is garbage later. */
const MINOR_COLLECTIONS = 8;

let collect: Collect | null = null;

/** V8's own function, where it was started with `--expose-gc` as nodens is shipped; else null. */
function exposed(): Collect | null {
  return (globalThis as { gc?: Collect }).gc ?? null;
}

/** The same by way of another context, which takes memory of its own: only for who needs it. */
function fromContext(): Collect {
  v8.setFlagsFromString("--expose-gc");
  return process.getBuiltinModule("node:vm").runInNewContext("gc");
}

/**
 * Collects this thread's garbage and gives the room back, where that costs no memory itself: a start
 * leaves megabytes.
 */
export function collectAtRest(): void {
  exposed()?.({ type: "major", flavor: "last-resort" });
}

/** Growth of the heap that is worth ten milliseconds of a thread that has little to do. */
const GROWN_BYTES = 4 * 2 ** 20;

/** Collects a thread's garbage, as `collectAtRest` does, whenever its heap has grown in a burst. */
export class RestCollector {
  readonly #sizeBytes: () => number;
  readonly #collect: () => void;
  #leftBytes = 0;

  constructor(sizeBytes = heapBytes, run = collectAtRest) {
    this.#sizeBytes = sizeBytes;
    this.#collect = run;
  }

  /** Looks at the heap; call it now and then, while there is little to do. */
  look(): void {
    if (this.#sizeBytes() - this.#leftBytes < GROWN_BYTES) return;
    this.#collect();
    this.#leftBytes = this.#sizeBytes();
  }
}

function heapBytes(): number {
  return v8.getHeapStatistics().total_physical_size;
}

/** Collects this thread's garbage each time that a limit of bytes was allocated outside the heap. */
export class GarbageWatch {
  limitBytes: number;
  readonly #collect: Collect;
  #collectedBytes = 0;
  #collections = 0;

  constructor(limitBytes: number, run?: Collect) {
    this.limitBytes = limitBytes;
    this.#collect = run ?? ((options) => (collect ??= exposed() ?? fromContext())(options));
  }

  /** Collects where it is time. `allocatedBytes` is all that was ever allocated. */
  look(allocatedBytes: number): void {
    if (allocatedBytes - this.#collectedBytes < this.limitBytes) return;
    this.#collectedBytes = allocatedBytes;
    const all = ++this.#collections % MINOR_COLLECTIONS === 0;
    this.#collect({ type: all ? "major" : "minor" });
  }
}
