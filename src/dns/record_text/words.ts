/** A word of a record in presentation format (RFC 1035 section 5.1). */
export interface Word {
  /** As it stands, escapes included, quotes left out. */
  text: string;
  quoted: boolean;
}

/**
 * Splits a record into words. Parentheses join lines and are left out, `;` begins a comment.
 *
 * Throws `SyntaxError` for a quote or parenthesis that is not closed, and for a second record.
 */
export function splitRecord(text: string): Word[] {
  const words: Word[] = [];
  let open = 0;
  let ended = false;
  const pattern = /"((?:[^"\\]|\\[^])*)"|\s+|;[^\n]*|[()]|(?:[^\s"();\\]|\\[^])+|[^]/y;
  for (let match; (match = pattern.exec(text)) !== null;) {
    const [all, quoted] = match;
    if (all.startsWith(";")) continue;
    if (/^\s/.test(all)) {
      ended ||= all.includes("\n") && open === 0 && words.length > 0;
    } else if (all === "(") {
      open++;
    } else if (all === ")") {
      if (--open < 0) throw new SyntaxError("a ) has no (");
    } else if (quoted === undefined && (all === '"' || all === "\\")) {
      throw new SyntaxError(all === '"' ? 'a " is not closed' : "nothing follows the backslash");
    } else {
      if (ended) throw new SyntaxError("there is more than one record");
      words.push({ text: quoted ?? all, quoted: quoted !== undefined });
    }
  }
  if (open > 0) throw new SyntaxError("a ( is not closed");
  return words;
}

/** The octets of a word: `\DDD` is one octet, a backslash before anything else is left out. */
export function octetsOf({ text }: Word): Uint8Array {
  const octets: number[] = [];
  const source = new TextEncoder().encode(text);
  for (let i = 0; i < source.length; i++) {
    if (source[i] !== 0x5c) {
      octets.push(source[i]!);
      continue;
    }
    const digits = String.fromCharCode(...source.subarray(i + 1, i + 4));
    if (/^[0-9]{3}$/.test(digits)) {
      if (Number(digits) > 255) throw new SyntaxError(`\\${digits} is not an octet`);
      octets.push(Number(digits));
      i += 3;
    } else {
      octets.push(source[++i]!);
    }
  }
  return Uint8Array.from(octets);
}
