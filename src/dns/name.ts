import { MAX_NAME_SIZE } from "./constants.ts";

/** RFC 1035 section 2.3.4. */
const MAX_LABEL_SIZE = 63;

const encoder = new TextEncoder();

/** Wire form (RFC 1035 section 5.1). Throws `SyntaxError`, or `RangeError` if too long. */
export function parseName(text: string): Uint8Array {
  if (text === "") throw new SyntaxError("Cannot parse an empty name");
  if (text === ".") return new Uint8Array(1);
  const cannot = `Cannot parse name ${shown(text)}`;
  const tooLong = () => new RangeError(`${cannot}: it is longer than ${MAX_NAME_SIZE} octets`);
  // An octet takes at most four characters.
  if (text.length > 4 * MAX_NAME_SIZE) throw tooLong();
  const octets = [0];
  let lengthAt = 0;
  const closeLabel = () => {
    const size = octets.length - lengthAt - 1;
    if (size === 0) throw new SyntaxError(`${cannot}: it has an empty label`);
    if (size > MAX_LABEL_SIZE) throw new RangeError(`${cannot}: a label is longer than 63 octets`);
    octets[lengthAt] = size;
    lengthAt = octets.push(0) - 1;
  };
  const source = encoder.encode(text);
  for (let i = 0; i < source.length;) {
    if (source[i] === 0x2e) {
      closeLabel();
      i++;
      continue;
    }
    const [octet, next] = readOctet(source, i);
    if (octet === undefined) throw new SyntaxError(`${cannot}: nothing follows the last backslash`);
    if (octet > 255) throw new SyntaxError(`${cannot}: \\${octet} is not an octet`);
    octets.push(octet);
    i = next;
  }
  if (octets.length - 1 > lengthAt) closeLabel();
  if (octets.length > MAX_NAME_SIZE) throw tooLong();
  return Uint8Array.from(octets);
}

/** Undefined after a final backslash; `\DDD` may exceed 255. Also returns the next position. */
export function readOctet(source: Uint8Array, at: number): [octet: number | undefined, number] {
  if (source[at] !== 0x5c) return [source[at], at + 1];
  const digits = String.fromCharCode(...source.subarray(at + 1, at + 4));
  return /^[0-9]{3}$/.test(digits) ? [Number(digits), at + 4] : [source[at + 1], at + 2];
}

/** With final dot. Throws `RangeError` beyond `bytes`. */
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

function shown(text: string): string {
  return JSON.stringify(text.length <= 80 ? text : `${text.slice(0, 77)}...`);
}
