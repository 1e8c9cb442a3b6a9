import { type Family, messageAt } from "./packets.ts";

/** A test run takes no packet without its IP header. */
export function shortest(family: Family): number {
  return messageAt(family) - 8;
}

/** Some letters in upper case. */
export function mixed(random: () => number, name: string): string {
  return [...name].map((char) => random() % 4 === 0 ? char.toUpperCase() : char).join("");
}

/** Changes up to three octets, mostly of the headers; cuts or lengthens now and then. */
export function mutated(
  random: () => number,
  frame: Uint8Array,
  least = shortest(6),
): Uint8Array {
  let bytes = frame.slice();
  for (let n = random() % 4; n > 0; n--) {
    const at = random() % (random() % 2 === 0 ? bytes.length : Math.min(bytes.length, 60));
    bytes[at] = random() % 2 === 0 ? random() & 255 : bytes[at]! ^ 1 << random() % 8;
  }
  if (random() % 10 === 0) bytes = bytes.slice(0, least + random() % (bytes.length - least));
  if (random() % 10 === 0) {
    bytes = new Uint8Array([
      ...bytes,
      ...Array.from({ length: random() % 30 }, () => random() & 255),
    ]);
  }
  return bytes;
}
