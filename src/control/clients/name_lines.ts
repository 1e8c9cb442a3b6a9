import { quote } from "../../corefile/quote.ts";
import {
  type ClientName,
  isClientName,
  mappedAddress,
  MAX_CLIENT_NAME_LENGTH,
} from "../../engine/observe/client_table.ts";

const MAX_SHOWN = 60;

/** Lines skipped, and the first reason. */
export interface SkippedLines {
  count: number;
  first: string;
}

/** Reads lines of address and name; `#` begins a comment. */
export function readNameLines(text: string, path: string, skipped: SkippedLines): ClientName[] {
  const names: ClientName[] = [];
  let number = 0;
  for (const line of text.replace(/^\ufeff/, "").split("\n")) {
    number++;
    const words = line.replace(/#.*/, "").split(/[ \t\r]+/).filter((word) => word !== "");
    if (words.length === 0) continue;
    const fault = faultOf(words);
    if (fault === null) names.push({ address: words[0]!, name: words[1]! });
    else if (skipped.count++ === 0) skipped.first = `${path}:${number}: ${fault}`;
  }
  return names;
}

/** For the log, or "". */
export function skippedText({ count, first }: SkippedLines): string {
  if (count === 0) return "";
  return count === 1 ? `a line is skipped: ${first}` : `${count} lines are skipped, first ${first}`;
}

function faultOf([address, name, more]: string[]): string | null {
  if (mappedAddress(address!) === null) return `${shown(address!)} is not an IP address`;
  if (name === undefined) return `a name is missing behind ${shown(address!)}`;
  if (more !== undefined) return `${shown(more)} follows the name (write ADDRESS NAME)`;
  if (isClientName(name)) return null;
  return `${
    shown(name)
  } is not a name (at most ${MAX_CLIENT_NAME_LENGTH} printable characters of ` +
    'ASCII, without spaces, " and \\)';
}

function shown(word: string): string {
  return quote(word.length > MAX_SHOWN ? `${word.slice(0, MAX_SHOWN)}…` : word);
}
