/**
 * Maximum size of a forwarded text; RFC 8914 section 2 has none. The texts of unbound, BIND and public
 * resolvers are shorter.
 */
export const MAX_ERROR_TEXT = 64;

/**
 * Ranges (first, last) of characters that are invisible or reorder others: controls, line separators,
 * surrogates, noncharacters, annotations, default ignorables.
 */
const UNPRINTABLE: readonly number[] = [
  ...[0x80, 0x9f, 0xad, 0xad, 0x34f, 0x34f, 0x61c, 0x61c, 0x115f, 0x1160, 0x17b4, 0x17b5],
  ...[0x180b, 0x180f, 0x200b, 0x200f, 0x2028, 0x202e, 0x2060, 0x206f, 0x3164, 0x3164],
  ...[0xd800, 0xdfff, 0xfdd0, 0xfdef, 0xfe00, 0xfe0f, 0xfeff, 0xfeff, 0xffa0, 0xffa0],
  ...[0xfff0, 0xffff, 0x1bca0, 0x1bca3, 0x1d173, 0x1d17a, 0xe0000, 0x10ffff],
];

/** Text of an Extended DNS Error (RFC 8914): printable UTF-8, cut to `MAX_ERROR_TEXT` octets. */
export class ErrorText {
  readonly bytes = new Uint8Array(MAX_ERROR_TEXT);
  length = 0;

  /**
   * Copies as much of a peer's text as fits. Only printable UTF-8 is accepted, because it may be shown
   * on a terminal.
   */
  set(from: Uint8Array, at: number, size: number): void {
    // Some servers terminate it with a null.
    while (size > 0 && from[at + size - 1] === 0) size--;
    let length = 0;
    for (let i = 0; i < size;) {
      const next = i + printableAt(from, at + i, at + size);
      if (next === i) {
        this.length = 0;
        return;
      }
      if (next <= MAX_ERROR_TEXT) length = next;
      i = next;
    }
    this.copy(from, at, length);
  }

  copy(from: Uint8Array, at: number, length: number): void {
    for (let i = 0; i < length; i++) this.bytes[i] = from[at + i]!;
    this.length = length;
  }
}

/** Size of the printable UTF-8 character (RFC 3629) at `at`; 0 if there is none. */
function printableAt(bytes: Uint8Array, at: number, end: number): number {
  const first = bytes[at]!;
  if (first < 0x80) return first >= 0x20 && first !== 0x7f ? 1 : 0;
  const size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || at + size > end) return 0;
  let code = first & (0x7f >>> size);
  for (let i = 1; i < size; i++) {
    const octet = bytes[at + i]!;
    if ((octet & 0xc0) !== 0x80) return 0;
    code = (code << 6) | (octet & 0x3f);
  }
  const least = size === 2 ? 0x80 : size === 3 ? 0x800 : 0x10000;
  return code >= least && code <= 0x10ffff && isPrintable(code) ? size : 0;
}

function isPrintable(code: number): boolean {
  for (let i = 0; i < UNPRINTABLE.length && UNPRINTABLE[i]! <= code; i += 2) {
    if (code <= UNPRINTABLE[i + 1]!) return false;
  }
  // The last two of each plane are not characters.
  return (code & 0xfffe) !== 0xfffe;
}
