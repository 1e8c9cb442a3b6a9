import { type HostsSource, readHostsEntries } from "./entries.ts";

/** Size of the table's head: number of slots, number of addresses and names. */
export const HEAD_SIZE = 8;

/**
 * Compiles a hosts file into one block of bytes that is searched where it lies (`HostsLookup`), so
 * that a table of any size reaches the data plane as a single transfer.
 *
 * ```
 *  head:   u32 slots (a power of two) | u32 items, for the metric
 *  slots:  slots × u32 offset of the first record, 0 for none
 *  record: u32 next record of the slot, 0 for none | u8 name length | name
 *          | u16 IPv4 addresses | u16 IPv6 addresses | u16 names
 *          | addresses of 4 bytes | addresses of 16 bytes | names in wire form
 * ```
 */
export function buildHostsTable(source: HostsSource): ArrayBuffer {
  const entries = [...readHostsEntries(source)];
  let slots = 1;
  while (slots < entries.length * 2) slots *= 2;
  let items = 0;
  let size = HEAD_SIZE + 4 * slots;
  for (const { name, v4, v6, names } of entries) {
    items += v4.length + v6.length + names.length;
    size += 5 + name.length + 6 + 4 * v4.length + 16 * v6.length;
    for (const other of names) size += other.length;
  }
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, slots);
  view.setUint32(4, items);
  let at = HEAD_SIZE + 4 * slots;
  for (const { name, v4, v6, names } of entries) {
    const slotAt = HEAD_SIZE + 4 * (hashName(name, name.length) & (slots - 1));
    view.setUint32(at, view.getUint32(slotAt));
    view.setUint32(slotAt, at);
    bytes[at + 4] = name.length;
    bytes.set(name, at + 5);
    at += 5 + name.length;
    view.setUint16(at, v4.length);
    view.setUint16(at + 2, v6.length);
    view.setUint16(at + 4, names.length);
    at += 6;
    for (const list of [v4, v6, names]) {
      for (const part of list) {
        bytes.set(part, at);
        at += part.length;
      }
    }
  }
  return bytes.buffer;
}

/** Hash of the lower-case wire-form name in the first `length` bytes (FNV-1a). */
export function hashName(name: Uint8Array, length: number): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < length; i++) hash = Math.imul(hash ^ name[i]!, 0x01000193);
  // The low bits choose the slot; fold the high ones in.
  return (hash ^ (hash >>> 15)) >>> 0;
}
