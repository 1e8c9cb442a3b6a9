/** A reused socket address. */
export class Address {
  family: 4 | 6 = 4;
  /** IPv4 uses four. */
  readonly bytes: Uint8Array = new Uint8Array(16);
  port = 0;
  /** Interface index (IPv6 link-local), or 0. */
  scope = 0;

  /** Converts IPv6 sockets' `::ffff:a.b.c.d` to IPv4. */
  unmap(): void {
    if (this.family !== 6) return;
    const b = this.bytes;
    for (let i = 0; i < 10; i++) if (b[i] !== 0) return;
    if (b[10] !== 0xff || b[11] !== 0xff) return;
    this.family = 4;
    b.copyWithin(0, 12, 16);
  }

  copy(from: Address): void {
    this.family = from.family;
    this.bytes.set(from.bytes);
    this.port = from.port;
    this.scope = from.scope;
  }

  get isLoopback(): boolean {
    const b = this.bytes;
    if (this.family === 4) return b[0] === 127;
    for (let i = 0; i < 15; i++) if (b[i] !== 0) return false;
    return b[15] === 1;
  }

  sameHost(other: Address): boolean {
    if (this.family !== other.family) return false;
    const length = this.family === 4 ? 4 : 16;
    for (let i = 0; i < length; i++) if (this.bytes[i] !== other.bytes[i]) return false;
    return true;
  }

  /** RFC 5952, without port. */
  hostname(): string {
    const b = this.bytes;
    return this.family === 4 ? `${b[0]}.${b[1]}.${b[2]}.${b[3]}` : formatIPv6(b);
  }
}

/** RFC 5952. */
export function formatIPv6(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < 16; i += 2) {
    text += (i > 0 ? ":" : "") + ((bytes[i]! << 8) | bytes[i + 1]!).toString(16);
  }
  let run = "";
  let at = 0;
  for (const { 0: zeros, index } of text.matchAll(/\b0(?::0)+\b/g)) {
    if (zeros.length > run.length) [run, at] = [zeros, index];
  }
  if (run === "") return text;
  return `${text.slice(0, at) || ":"}${text.slice(at + run.length) || ":"}`;
}

/** Returns other text unchanged. */
export function canonicalAddress(text: string): string {
  const [host, scope] = text.split("%");
  const bytes = parseAddress(host!);
  if (bytes === null || bytes.length === 4) return text;
  return scope === undefined ? formatIPv6(bytes) : `${formatIPv6(bytes)}%${scope}`;
}

/** Bytes (4 or 16) of an address, or null. */
export function parseAddress(text: string): Uint8Array | null {
  return text.includes(":") ? parseIPv6(text) : parseIPv4(text);
}

function parseIPv4(text: string): Uint8Array | null {
  const parts = text.split(".");
  const valid = parts.length === 4 &&
    parts.every((part) => /^(0|[1-9][0-9]{0,2})$/.test(part) && Number(part) <= 255);
  return valid ? Uint8Array.from(parts, Number) : null;
}

function parseIPv6(text: string): Uint8Array | null {
  // The URL parser normalizes hexadecimal groups.
  const url = /^[0-9a-fA-F:.]+$/.test(text) ? URL.parse(`http://[${text}]`) : null;
  if (url === null) return null;
  const [head = [], tail = []] = url.hostname.slice(1, -1).split("::")
    .map((half) => half === "" ? [] : half.split(":").map((group) => parseInt(group, 16)));
  const zeros = new Array<number>(8 - head.length - tail.length).fill(0);
  return Uint8Array.from(
    [...head, ...zeros, ...tail].flatMap((group) => [group >> 8, group & 0xff]),
  );
}
