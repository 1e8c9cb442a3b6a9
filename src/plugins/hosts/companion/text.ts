import { hostsLimitFor } from "../../../config/memory_limit.ts";
import { MAX_PER_ENTRY } from "../builder.ts";
import type { HostsBuilt, HostsReport } from "./build.ts";

/** What a refusal depends on. */
export interface Refusal {
  path: string;
  roomBytes: number;
  memoryBytes: number | null;
  shareBytes: number;
  copies: number;
  served: boolean;
}

/** The log line for a file whose table is too large. */
export function refusalText(
  { lines, bytes, fullAt }: HostsBuilt & { kind: "full" },
  { path, roomBytes, memoryBytes, shareBytes, copies, served }: Refusal,
): string {
  // Assumes that the other lines are like those that fit.
  const missing = roomBytes * copies * (lines / Math.max(1, fullAt) - 1);
  const limit = mebibytes(hostsLimitFor(1.1 * (shareBytes + missing)));
  const [why, remedy] = memoryBytes === null
    ? ["the maximum for the tables of hosts files", "shorten the list"]
    : [
      `what the memory limit of ${mebibytes(memoryBytes)} leaves for it`,
      `raise the limit to about ${limit}, or shorten the list`,
    ];
  return `Cannot load "${path}" (${lines} lines, ${mebibytes(bytes)}): only about the first ` +
    `${fullAt} lines fit into ${mebibytes(roomBytes)}, ${why}; ` +
    `${served ? "its previous content" : "none of it"} is served (${remedy})`;
}

/** The log line for the parts of a file that were skipped; null for none. */
export function skippedText(path: string, report: HostsReport): string | null {
  const { lines, skippedLines, skippedNames, firstSkipped, leftOut } = report;
  const parts = [
    skippedLines > 0 ? `${skippedLines} of ${lines} lines without an address or a name` : "",
    skippedNames > 0 ? `${skippedNames} invalid names` : "",
    leftOut > 0 ? `${leftOut} addresses or names above the limit of ${MAX_PER_ENTRY} an entry` : "",
  ].filter((part) => part !== "");
  if (parts.length === 0) return null;
  const first = firstSkipped > 0 ? ` (the first in line ${firstSkipped})` : "";
  return `"${path}": skipped ${parts.join(", ")}${first}`;
}

function mebibytes(bytes: number): string {
  const value = bytes / 2 ** 20;
  return `${value < 10 ? value.toFixed(1) : Math.ceil(value)} MiB`;
}
