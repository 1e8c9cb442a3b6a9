import { parseAddress } from "../../dns/address.ts";
import { formatName, parseName } from "../../dns/name.ts";
import type { NameWeights } from "./options.ts";

const MAX_WEIGHT = 255;

/** Parses a weight file: a name, then `ADDRESS WEIGHT` lines. Throws `SyntaxError`. */
export function readWeights(text: string): NameWeights[] {
  const names = new Map<string, NameWeights>();
  let current: NameWeights | null = null;
  for (const [i, line] of text.split("\n").entries()) {
    const words = line.trim().split(/\s+/);
    const [first, weight, ...more] = words as [string, ...string[]];
    if (first === "" || first.startsWith("#")) continue;
    const wrong = (what: string) => new SyntaxError(`line ${i + 1}: ${what}`);
    if (more.length > 0) throw wrong("more than an address and a weight");
    const octets = parseAddress(first);
    if (weight === undefined) {
      if (octets !== null) throw wrong(`${first} has no weight`);
      const name = readName(first);
      if (name === null) throw wrong(`${JSON.stringify(first)} is not a name`);
      current = names.get(name) ?? { name, addresses: [] };
      names.set(name, current);
      continue;
    }
    if (octets === null) throw wrong(`${JSON.stringify(first)} is not an address`);
    if (!/^[0-9]{1,3}$/.test(weight) || Number(weight) < 1 || Number(weight) > MAX_WEIGHT) {
      throw wrong(`${JSON.stringify(weight)} is not a weight (1 to ${MAX_WEIGHT})`);
    }
    if (current === null) throw wrong("an address precedes the first name");
    current.addresses.push({ octets: [...octets], weight: Number(weight) });
  }
  return [...names.values()];
}

function readName(text: string): string | null {
  try {
    return formatName(parseName(text)).toLowerCase();
  } catch {
    return null;
  }
}
