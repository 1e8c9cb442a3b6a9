/** Octets; RFC 8914 section 2 has no limit. */
export const MAX_ERROR_TEXT = 64;

/** Invisible, reordering, or malformed (U+FFFD). */
const UNPRINTABLE = new RegExp(
  "[\\p{Cc}\\p{Zl}\\p{Zp}\\p{Bidi_Control}\\p{Default_Ignorable_Code_Point}" +
    "\\p{Noncharacter_Code_Point}\\u{fff9}-\\u{fffd}\\u{e0000}-\\u{10ffff}]",
  "u",
);

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const encoder = new TextEncoder();

/** RFC 8914. */
export class ErrorText {
  readonly bytes = new Uint8Array(MAX_ERROR_TEXT);
  length = 0;

  /** Only printable UTF-8: terminals may show it. */
  set(from: Uint8Array, at: number, size: number): void {
    this.length = 0;
    let end = at + size;
    // Some servers append a null.
    while (end > at && from[end - 1] === 0) end--;
    if (end === at) return;
    const text = decoder.decode(from.subarray(at, end));
    if (!UNPRINTABLE.test(text)) this.length = encoder.encodeInto(text, this.bytes).written;
  }

  copy(from: Uint8Array, at: number, length: number): void {
    for (let i = 0; i < length; i++) this.bytes[i] = from[at + i]!;
    this.length = length;
  }
}
