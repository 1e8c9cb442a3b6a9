import { parseAddress } from "../address.ts";
import { readOctet } from "../name.ts";

/** RFC 1035 section 5.1. */
export interface Word {
  /** With escapes, without quotes. */
  text: string;
  quoted: boolean;
}

/** Parentheses join lines, `;` starts comments. Throws `SyntaxError`, also for a second record. */
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

/** Throws `SyntaxError`. */
export function octetsOf({ text }: Word): Uint8Array {
  const octets: number[] = [];
  const source = new TextEncoder().encode(text);
  for (let i = 0; i < source.length;) {
    const [octet, next] = readOctet(source, i);
    if (octet! > 255) throw new SyntaxError(`\\${octet} is not an octet`);
    octets.push(octet!);
    i = next;
  }
  return Uint8Array.from(octets);
}

/** Throws `SyntaxError`. */
export function addressOctets(text: string, family: 4 | 6): Uint8Array {
  const octets = parseAddress(text);
  if (octets?.length !== (family === 4 ? 4 : 16)) {
    throw new SyntaxError(`${text} is not an IPv${family} address`);
  }
  return octets;
}
