import { parseAddress } from "../address.ts";

/** The octets of an address of this family. Throws `SyntaxError`. */
export function readAddress(text: string, family: 4 | 6): Uint8Array {
  const octets = parseAddress(text);
  if (octets?.length !== (family === 4 ? 4 : 16)) {
    throw new SyntaxError(`${text} is not an IPv${family} address`);
  }
  return octets;
}
