import { hostsLimitFor } from "../../../config/memory_limit.ts";
import type { HostsBuilt, HostsReport } from "./build.ts";

/** What a refusal depends on. */
export interface Refusal {
  path: string;
  /** What the table of this file may take. */
  roomBytes: number;
  /** The limit of the process; null for none. */
  memoryBytes: number | null;
  /** What the tables of all files may take, in all data planes. */
  shareBytes: number;
  /** How many data planes hold a copy. */
  copies: number;
  /** There is a table from before. */
  served: boolean;
}

/** Says that a file is not taken because its table is too large, and what would do. */
export function refusalText(
  { lines, bytes, fullAt }: HostsBuilt & { kind: "full" },
  { path, roomBytes, memoryBytes, shareBytes, copies, served }: Refusal,
): string {
  // As if all lines were like those that fit.
  const missing = roomBytes * copies * (lines / Math.max(1, fullAt) - 1);
  const limit = mebibytes(hostsLimitFor(1.1 * (shareBytes + missing)));
  const [why, remedy] = memoryBytes === null
    ? ["the most that tables of hosts files may take", "shorten the list"]
    : [
      `what the memory limit of ${mebibytes(memoryBytes)} leaves for it`,
      `raise the limit to about ${limit}, or shorten the list`,
    ];
  return `Cannot hold "${path}" (${lines} lines, ${mebibytes(bytes)}): only about the first ` +
    `${fullAt} lines fit into ${mebibytes(roomBytes)}, ${why}; ` +
    `${served ? "what was read before" : "none of it"} is served (${remedy})`;
}

/** Says in one line what of a file was skipped; null for nothing. */
export function skippedText(path: string, report: HostsReport): string | null {
  const { lines, skippedLines, skippedNames, firstSkipped, leftOut } = report;
  const parts = [
    skippedLines > 0 ? `${skippedLines} of ${lines} lines without an address or a name` : "",
    skippedNames > 0 ? `${skippedNames} names that cannot be read` : "",
    leftOut > 0 ? `${leftOut} addresses or names beyond the most of one entry` : "",
  ].filter((part) => part !== "");
  if (parts.length === 0) return null;
  const first = firstSkipped > 0 ? ` (the first in line ${firstSkipped})` : "";
  return `"${path}": skipped ${parts.join(", ")}${first}`;
}

function mebibytes(bytes: number): string {
  const value = bytes / 2 ** 20;
  return `${value < 10 ? value.toFixed(1) : Math.ceil(value)} MiB`;
}
