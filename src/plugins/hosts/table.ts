import { TableBuilder, type TableOptions } from "./builder.ts";
import { HostsLines } from "./lines.ts";

/** Worst case of `::2 a b c`: four octets for two names, each with an entry, a reverse name and slots. */
const WORST = { bytesPerOctet: 48, bytes: 4096 } as const;

/** Maximum size of the table for so many octets of text. */
export function boundOf(octets: number): number {
  return WORST.bytes + WORST.bytesPerOctet * octets;
}

/** Builds the table of a short text: the entries in a Corefile. */
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
  if (table === null) throw new RangeError("Cannot build the table of the Corefile's entries");
  return table;
}
