import { TableBuilder, type TableOptions } from "./builder.ts";
import { HostsLines } from "./lines.ts";

/**
 * Most that an octet of text can take in a table, and what any table takes: `::2 a b c` has four
 * octets for two names, each with an entry, a name of its address and slots.
 */
const WORST = { bytesPerOctet: 48, bytes: 4096 } as const;

/** Upper bound of the table of so many octets of text. */
export function boundOf(octets: number): number {
  return WORST.bytes + WORST.bytesPerOctet * octets;
}

/** Makes the table of a short text at once: that of the entries in a Corefile. */
export function buildHostsTable(
  text: string,
  options: Omit<TableOptions, "maxBytes">,
): ArrayBuffer {
  const octets = new TextEncoder().encode(text);
  const builder = new TableBuilder({ ...options, maxBytes: boundOf(octets.length) });
  const lines = new HostsLines(builder);
  lines.push(octets, octets.length);
  lines.end();
  const table = builder.finish();
  if (table === null) throw new RangeError("Cannot hold the entries of the Corefile");
  return table;
}
