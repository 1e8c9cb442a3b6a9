/** Bytes with views. `subarray` allocates: the query path passes an offset. */
export class Memory {
  /** Hardly counted in V8's heap. */
  static allocatedBytes = 0;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly view: DataView<ArrayBuffer>;
  readonly words: BigUint64Array<ArrayBuffer>;

  /** @param source - a size, rounded up to eight, or a buffer */
  constructor(source: number | ArrayBuffer) {
    const buffer = typeof source === "number" ? new ArrayBuffer((source + 7) & ~7) : source;
    if (typeof source === "number") Memory.allocatedBytes += buffer.byteLength;
    this.bytes = new Uint8Array(buffer);
    this.view = new DataView(buffer);
    this.words = new BigUint64Array(buffer);
  }
}

/** Copies up to seven more bytes, between multiples of eight. */
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
