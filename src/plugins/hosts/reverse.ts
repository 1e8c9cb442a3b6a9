const V4_SUFFIX = wireOf("in-addr", "arpa");
const V6_SUFFIX = wireOf("ip6", "arpa");

/**
 * Whether reverse lookups of an address are answered. Not those of addresses that lead nowhere or to
 * this host (0.0.0.0, ::, 127.0.0.0/8, ::1): block lists give them to everybody's names.
 */
export function hasReverse(address: Uint8Array, size: 4 | 16): boolean {
  if (address[0] === 127 && size === 4) return false;
  for (let i = 0; i < size - 1; i++) if (address[i] !== 0) return true;
  return address[size - 1]! > (size === 4 ? 0 : 1);
}

/** Writes the names of reverse lookups in wire form. */
export class ReverseName {
  readonly bytes: Uint8Array = new Uint8Array(80);

  /** Writes the name of an address and returns its length. */
  write(address: Uint8Array, size: 4 | 16): number {
    return size === 4 ? this.#v4(address) : this.#v6(address);
  }

  #v4(address: Uint8Array): number {
    let at = 0;
    for (let i = 3; i >= 0; i--) {
      const octet = address[i]!;
      const digits = octet > 99 ? 3 : octet > 9 ? 2 : 1;
      this.bytes[at] = digits;
      for (let k = digits, left = octet; k > 0; k--, left = Math.floor(left / 10)) {
        this.bytes[at + k] = 0x30 + left % 10;
      }
      at += digits + 1;
    }
    this.bytes.set(V4_SUFFIX, at);
    return at + V4_SUFFIX.length;
  }

  #v6(address: Uint8Array): number {
    let at = 0;
    for (let i = 15; i >= 0; i--) {
      for (const digit of [address[i]! & 15, address[i]! >> 4]) {
        this.bytes[at++] = 1;
        this.bytes[at++] = digit < 10 ? 0x30 + digit : 0x61 + digit - 10;
      }
    }
    this.bytes.set(V6_SUFFIX, at);
    return at + V6_SUFFIX.length;
  }
}

function wireOf(...labels: string[]): Uint8Array {
  const octets = labels.flatMap((label) => [label.length, ...new TextEncoder().encode(label)]);
  return Uint8Array.from([...octets, 0]);
}
