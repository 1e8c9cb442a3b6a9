import { parseAddress } from "../../dns/address.ts";
import { formatName, parseName } from "../../dns/name.ts";

/** What a hosts table is built from. */
export interface HostsSource {
  /** Lines of a hosts file: address, then names. */
  text: string;
  /** Zones in which names are taken, normalised. */
  zones: readonly string[];
  /** Also build the names of reverse look-ups. */
  autoReverse: boolean;
}

interface Entry {
  v4: Uint8Array[];
  v6: Uint8Array[];
  names: Uint8Array[];
}

/**
 * Compiles a hosts file into one block of bytes that is searched where it lies, so that a table of
 * any size reaches the data plane as a single transfer.
 *
 * ```
 *  u32 slots | slots × u32 offset of the first record, 0 for none | records
 *  record: u32 next record of the slot | u8 name length | name | u16 IPv4 | u16 IPv6 | u16 names
 *          | addresses | names in wire form
 * ```
 *
 * Lines that hold no address are passed over, as CoreDNS does.
 */
export function buildHostsTable(source: HostsSource): ArrayBuffer {
  const entries = new Map<string, Entry>();
  const entryOf = (key: string): Entry => {
    let entry = entries.get(key);
    if (entry === undefined) entries.set(key, entry = { v4: [], v6: [], names: [] });
    return entry;
  };
  for (const line of source.text.split("\n")) {
    const [text, ...names] = line.replace(/#.*/, "").trim().split(/\s+/);
    if (text === undefined || names.length === 0) continue;
    const address = parseAddress(text.split("%")[0]!);
    if (address === null) continue;
    for (const name of names) {
      let wire: Uint8Array;
      try {
        wire = parseName(name.toLowerCase());
      } catch {
        continue;
      }
      const full = formatName(wire);
      if (!source.zones.some((zone) => isIn(full, zone))) continue;
      const entry = entryOf(full);
      (address.length === 4 ? entry.v4 : entry.v6).push(address);
      if (source.autoReverse && !full.startsWith("*.")) {
        entryOf(reverseName(address)).names.push(wire);
      }
    }
  }
  return encode(entries);
}

/** Hash of a lower-case wire-form name, of which `length` bytes start at `offset` (FNV-1a). */
export function hashName(bytes: Uint8Array, offset: number, length: number): number {
  let hash = 0x811c9dc5;
  for (let i = offset; i < offset + length; i++) {
    hash = Math.imul(hash ^ bytes[i]!, 0x01000193);
  }
  return hash >>> 0;
}

function isIn(name: string, zone: string): boolean {
  return zone === "." || name === zone || name.endsWith(`.${zone}`);
}

function reverseName(address: Uint8Array): string {
  if (address.length === 4) return `${[...address].reverse().join(".")}.in-addr.arpa.`;
  const digits = [...address].reverse().flatMap((octet) => [octet & 15, octet >> 4]);
  return `${digits.map((digit) => digit.toString(16)).join(".")}.ip6.arpa.`;
}

function encode(entries: Map<string, Entry>): ArrayBuffer {
  let slots = 1;
  while (slots < entries.size * 2) slots *= 2;
  let size = 4 + 4 * slots;
  const records = [...entries].map(([name, entry]) => {
    const wire = parseName(name);
    const names = entry.names.reduce((sum, other) => sum + other.length, 0);
    const record = { wire, entry, at: size };
    size += 4 + 1 + wire.length + 6 + 4 * entry.v4.length + 16 * entry.v6.length + names;
    return record;
  });
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, slots);
  for (const { wire, entry, at: start } of records) {
    const slotAt = 4 + 4 * (hashName(wire, 0, wire.length) & (slots - 1));
    let at = start;
    view.setUint32(at, view.getUint32(slotAt));
    view.setUint32(slotAt, start);
    bytes[at + 4] = wire.length;
    bytes.set(wire, at + 5);
    at += 5 + wire.length;
    view.setUint16(at, entry.v4.length);
    view.setUint16(at + 2, entry.v6.length);
    view.setUint16(at + 4, entry.names.length);
    at += 6;
    for (const part of [...entry.v4, ...entry.v6, ...entry.names]) {
      bytes.set(part, at);
      at += part.length;
    }
  }
  return bytes.buffer;
}
