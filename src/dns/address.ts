/** A socket address that is filled in again and again, so that reading one allocates nothing. */
export class Address {
  family: 4 | 6 = 4;
  /** The address in network order: four bytes used for IPv4, sixteen for IPv6. */
  readonly bytes: Uint8Array = new Uint8Array(16);
  port = 0;
  /** Scope of a link-local IPv6 address (interface index), else 0. */
  scope = 0;

  /** Sets the address to IPv4 where an IPv6 socket received it as `::ffff:a.b.c.d`. */
  unmap(): void {
    if (this.family !== 6) return;
    const b = this.bytes;
    for (let i = 0; i < 10; i++) if (b[i] !== 0) return;
    if (b[10] !== 0xff || b[11] !== 0xff) return;
    this.family = 4;
    b.copyWithin(0, 12, 16);
  }

  /** Whether it is of the loopback interface: nobody outside of this machine can send from there. */
  get isLoopback(): boolean {
    const b = this.bytes;
    if (this.family === 4) return b[0] === 127;
    for (let i = 0; i < 15; i++) if (b[i] !== 0) return false;
    return b[15] === 1;
  }

  /** Whether it is the same address, whatever the ports. */
  sameHost(other: Address): boolean {
    if (this.family !== other.family) return false;
    const length = this.family === 4 ? 4 : 16;
    for (let i = 0; i < length; i++) if (this.bytes[i] !== other.bytes[i]) return false;
    return true;
  }

  /** Presentation format; IPv6 by RFC 5952, without brackets and port. */
  hostname(): string {
    const b = this.bytes;
    if (this.family === 4) return `${b[0]}.${b[1]}.${b[2]}.${b[3]}`;
    return formatIPv6(b);
  }
}

/** Text of sixteen bytes as an IPv6 address (RFC 5952: lower case, longest run of zeros cut). */
export function formatIPv6(bytes: Uint8Array): string {
  const groups: number[] = [];
  for (let i = 0; i < 16; i += 2) groups.push((bytes[i]! << 8) | bytes[i + 1]!);
  let bestStart = -1;
  let bestLength = 1;
  for (let i = 0; i < 8; i++) {
    let end = i;
    while (end < 8 && groups[end] === 0) end++;
    if (end - i > bestLength) {
      bestStart = i;
      bestLength = end - i;
    }
    if (end > i) i = end;
  }
  const text = (part: number[]) => part.map((group) => group.toString(16)).join(":");
  if (bestStart < 0) return text(groups);
  return `${text(groups.slice(0, bestStart))}::${text(groups.slice(bestStart + bestLength))}`;
}

/** One spelling for equal addresses; an IPv6 scope stays. Other text stays as it is. */
export function canonicalAddress(text: string): string {
  const [host, scope] = text.split("%");
  const bytes = parseAddress(host!);
  if (bytes === null || bytes.length === 4) return text;
  return scope === undefined ? formatIPv6(bytes) : `${formatIPv6(bytes)}%${scope}`;
}

/** Bytes of an address in presentation format (4 or 16), or null where it is none. */
export function parseAddress(text: string): Uint8Array | null {
  return text.includes(":") ? parseIPv6(text) : parseIPv4(text);
}

function parseIPv4(text: string): Uint8Array | null {
  const parts = text.split(".");
  if (parts.length !== 4) return null;
  const bytes = new Uint8Array(4);
  for (let i = 0; i < 4; i++) {
    const part = parts[i]!;
    if (!/^(0|[1-9][0-9]{0,2})$/.test(part) || Number(part) > 255) return null;
    bytes[i] = Number(part);
  }
  return bytes;
}

function parseIPv6(text: string): Uint8Array | null {
  let rest = text;
  const tail: number[] = [];
  const lastColon = rest.lastIndexOf(":");
  if (rest.includes(".")) {
    const v4 = parseIPv4(rest.slice(lastColon + 1));
    if (v4 === null) return null;
    tail.push((v4[0]! << 8) | v4[1]!, (v4[2]! << 8) | v4[3]!);
    rest = rest.slice(0, lastColon);
    // "::1.2.3.4" leaves a lone colon behind; put back the one that belongs to the "::".
    if (rest.endsWith(":")) rest += ":";
    if (rest === "") return null;
  }
  const halves = rest.split("::");
  if (halves.length > 2) return null;
  const parse = (half: string): number[] | null => {
    if (half === "") return [];
    const groups: number[] = [];
    for (const group of half.split(":")) {
      if (!/^[0-9a-fA-F]{1,4}$/.test(group)) return null;
      groups.push(parseInt(group, 16));
    }
    return groups;
  };
  const head = parse(halves[0]!);
  const middle = halves.length === 2 ? parse(halves[1]!) : [];
  if (head === null || middle === null) return null;
  const known = head.length + middle.length + tail.length;
  if (halves.length === 2 ? known > 7 : known !== 8) return null;
  const groups = [...head, ...new Array<number>(8 - known).fill(0), ...middle, ...tail];
  const bytes = new Uint8Array(16);
  groups.forEach((group, i) => {
    bytes[2 * i] = group >> 8;
    bytes[2 * i + 1] = group & 0xff;
  });
  return bytes;
}
