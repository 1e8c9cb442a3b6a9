import { MAX_NAME_SIZE } from "./constants.ts";

/** Longest label in octets (RFC 1035 section 2.3.4). */
const MAX_LABEL_SIZE = 63;

const encoder = new TextEncoder();

/**
 * Wire form of a name in presentation format, letters as they stand.
 *
 * `\.` and the like stand for the character itself, `\DDD` for an octet (RFC 1035 section 5.1); a
 * closing dot may be left out. Throws `SyntaxError` for text that is not a name and `RangeError` for a
 * label over 63 or a name over 255 octets.
 */
export function parseName(text: string): Uint8Array {
  if (text === "") throw new SyntaxError("Cannot parse an empty name");
  if (text === ".") return new Uint8Array(1);
  // An octet takes four characters at most, so a long text need not be read to its end.
  if (text.length > 4 * MAX_NAME_SIZE) throw tooLong(text);
  const octets: number[] = [];
  let lengthAt = 0;
  octets.push(0);
  const source = encoder.encode(text);
  for (let i = 0; i < source.length; i++) {
    let octet = source[i]!;
    if (octet === 0x2e) {
      closeLabel(octets, lengthAt, text);
      lengthAt = octets.length;
      octets.push(0);
      continue;
    }
    if (octet === 0x5c) {
      const digits = String.fromCharCode(...source.subarray(i + 1, i + 4));
      if (/^[0-9]{3}$/.test(digits)) {
        octet = Number(digits);
        if (octet > 255) {
          throw new SyntaxError(`Cannot parse name ${shown(text)}: \\${digits} is no octet`);
        }
        i += 3;
      } else {
        i++;
        if (i >= source.length) {
          throw new SyntaxError(
            `Cannot parse name ${shown(text)}: nothing follows the last backslash`,
          );
        }
        octet = source[i]!;
      }
    }
    octets.push(octet);
  }
  if (octets.length - 1 > lengthAt) {
    closeLabel(octets, lengthAt, text);
    octets.push(0);
  }
  if (octets.length > MAX_NAME_SIZE) {
    throw tooLong(text);
  }
  return Uint8Array.from(octets);
}

/**
 * Presentation format of the uncompressed wire-form name at `offset`, with its closing dot.
 *
 * Throws `RangeError` if the name does not end within `bytes`.
 */
export function formatName(bytes: Uint8Array, offset = 0): string {
  let at = offset;
  if (bytes[at] === 0) return ".";
  let text = "";
  for (;;) {
    const size = bytes[at++];
    if (size === 0) return text;
    if (size === undefined || size > MAX_LABEL_SIZE || at + size >= bytes.length) {
      throw new RangeError(`Cannot format the name at ${offset}: it does not end within the bytes`);
    }
    for (let i = 0; i < size; i++) text += formatOctet(bytes[at + i]!);
    text += ".";
    at += size;
  }
}

function formatOctet(octet: number): string {
  if (octet <= 0x20 || octet >= 0x7f) return `\\${String(octet).padStart(3, "0")}`;
  const character = String.fromCharCode(octet);
  return '.\\"();@$'.includes(character) ? `\\${character}` : character;
}

function closeLabel(octets: number[], lengthAt: number, text: string): void {
  const size = octets.length - lengthAt - 1;
  if (size === 0) throw new SyntaxError(`Cannot parse name ${shown(text)}: it has an empty label`);
  if (size > MAX_LABEL_SIZE) {
    throw new RangeError(`Cannot parse name ${shown(text)}: a label is longer than 63 octets`);
  }
  octets[lengthAt] = size;
}

function tooLong(text: string): RangeError {
  return new RangeError(
    `Cannot parse name ${shown(text)}: it is longer than ${MAX_NAME_SIZE} octets`,
  );
}

/** The name as messages show it: in quotes, control characters escaped, and not all of a long one. */
function shown(text: string): string {
  return JSON.stringify(text.length <= 80 ? text : `${text.slice(0, 77)}...`);
}
