/**
 * One block of bytes with the views that the hot path needs made once.
 *
 * V8 allocates an object for every `subarray`, so code on the query path passes a `Memory` and an
 * offset instead. `words` allows copies of eight bytes at a time; anything copied that way starts
 * at a multiple of eight.
 */
export class Memory {
  /** Bytes that were ever allocated: they lie outside V8's heap, which hardly counts them. */
  static allocatedBytes = 0;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly view: DataView<ArrayBuffer>;
  readonly words: BigUint64Array<ArrayBuffer>;

  /** Allocates `sizeBytes` (rounded up to eight), or wraps an existing buffer of such a length. */
  constructor(source: number | ArrayBuffer) {
    const buffer = typeof source === "number" ? new ArrayBuffer((source + 7) & ~7) : source;
    if (typeof source === "number") Memory.allocatedBytes += buffer.byteLength;
    this.bytes = new Uint8Array(buffer);
    this.view = new DataView(buffer);
    this.words = new BigUint64Array(buffer);
  }
}

/** Copies `length` bytes, up to seven more than asked; both offsets are multiples of eight. */
export function copyWords(
  from: Memory,
  fromOffset: number,
  to: Memory,
  toOffset: number,
  length: number,
): void {
  const source = from.words;
  const target = to.words;
  let at = fromOffset >>> 3;
  const end = at + ((length + 7) >>> 3);
  for (let out = toOffset >>> 3; at < end; at++, out++) target[out] = source[at]!;
}
