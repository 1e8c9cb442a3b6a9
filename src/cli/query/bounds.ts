import { HEADER_SIZE, TYPE } from "../../dns/constants.ts";

/**
 * Checks that questions and records fill the message as its header says, since dns-packet reads
 * what is there and makes the best of the rest. Throws `RangeError` for a message that is cut off.
 *
 * @returns where the last record ends
 */
export function checkBounds(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = HEADER_SIZE;
  for (let left = view.getUint16(4); left > 0; left--) at = within(bytes, skipName(bytes, at) + 4);
  const records = view.getUint16(6) + view.getUint16(8) + view.getUint16(10);
  for (let left = records; left > 0; left--) {
    const fixedAt = skipName(bytes, at);
    const dataAt = within(bytes, fixedAt + 10);
    const type = view.getUint16(fixedAt);
    const size = view.getUint16(fixedAt + 8);
    const expected = type === TYPE.A ? 4 : type === TYPE.AAAA ? 16 : size;
    if (size !== expected) {
      throw new RangeError(`address of ${size} bytes, not ${expected}, at byte ${dataAt}`);
    }
    at = within(bytes, dataAt + size);
  }
  return at;
}

function within(bytes: Uint8Array, end: number): number {
  if (end > bytes.length) throw new RangeError(`record ends at byte ${end} of ${bytes.length}`);
  return end;
}

function skipName(bytes: Uint8Array, start: number): number {
  for (let at = start;;) {
    const size = bytes[at];
    if (size === undefined) throw new RangeError(`name at byte ${start} does not end`);
    if (size === 0) return at + 1;
    if (size >= 0xc0) return at + 2;
    at += size + 1;
  }
}
