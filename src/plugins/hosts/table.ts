import { type HashKey, hashOctets } from "../../engine/question/keyed_hash.ts";
import { type HostsSource, readHostsEntries } from "./entries.ts";

/** Size of the table's head: number of slots, number of addresses and names, key of the hash. */
export const HEAD_SIZE = 16;

/**
 * Compiles a hosts file into one block of bytes that is searched where it lies (`HostsLookup`), so
 * that a table of any size reaches the data plane as a single transfer.
 *
 * ```
 *  head:   u32 slots (a power of two) | u32 items, for the metric | u32, u32 key of the hash
 *  slots:  slots × u32 offset of the first record, 0 for none
 *  record: u32 next record of the slot, 0 for none | u8 name length | name
 *          | u16 IPv4 addresses | u16 IPv6 addresses | u16 names
 *          | addresses of 4 bytes | addresses of 16 bytes | names in wire form
 * ```
 *
 * @param key - secret, because lists of names may come from somebody who would like them to collide
 */
export function buildHostsTable(source: HostsSource, key: HashKey): ArrayBuffer {
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
  view.setInt32(8, key.k0);
  view.setInt32(12, key.k1);
  let at = HEAD_SIZE + 4 * slots;
  for (const { name, v4, v6, names } of entries) {
    const slotAt = HEAD_SIZE + 4 * (hashOctets(key, name, 0, name.length) & (slots - 1));
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
