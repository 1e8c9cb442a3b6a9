/** Builds messages octet by octet, for tests of compression. */

export function name(text: string): number[] {
  const labels = text.split(".").filter(Boolean);
  return [...labels.flatMap((label) => [label.length, ...new TextEncoder().encode(label)]), 0];
}

export function pointer(target: number): number[] {
  return [0xc0 | (target >> 8), target & 255];
}

export function record(owner: number[], type: number, data: number[], ttl = 60): number[] {
  return [
    ...[...owner, type >> 8, type & 255, 0, 1, 0, 0, ttl >> 8, ttl & 255],
    ...[data.length >> 8, data.length & 255, ...data],
  ];
}

/** A response with these answers; `question` is name, type and class. */
export function response(question: number[], answers: readonly number[][]): Uint8Array {
  const counts = [0, 1, answers.length >> 8, answers.length & 255, 0, 0, 0, 0];
  return Uint8Array.from([0, 1, 0x81, 0x80, ...counts, ...question, ...answers.flat()]);
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
