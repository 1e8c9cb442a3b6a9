import { diff, type DiffEntry } from "node:util";

const CONTEXT = 3;

/** Unified diff of two texts. */
export function unifiedDiff(
  before: { name: string; text: string },
  after: { name: string; text: string },
): string {
  // 1 marks a line of the first text alone, -1 one of the second alone.
  const lines = diff(splitLines(after.text), splitLines(before.text));
  const changed = lines.flatMap(([side], i) => side === 0 ? [] : [i]);
  if (changed.length === 0) return "";
  let text = `--- ${before.name}\n+++ ${after.name}\n`;
  for (let i = 0; i < changed.length; i++) {
    const from = Math.max(0, changed[i]! - CONTEXT);
    // Adjacent contexts share a hunk.
    while (i + 1 < changed.length && changed[i + 1]! - changed[i]! <= 2 * CONTEXT) i++;
    const hunk = lines.slice(from, changed[i]! + CONTEXT + 1);
    const range = (without: 1 | -1) => {
      const count = (list: DiffEntry[]) => list.filter(([side]) => side !== without).length;
      return `${count(lines.slice(0, from)) + 1},${count(hunk)}`;
    };
    text += `@@ -${range(1)} +${range(-1)} @@\n${hunkText(hunk)}`;
  }
  return text;
}

/** Old lines of a change come before the new ones. */
function hunkText(lines: readonly DiffEntry[]): string {
  let text = "";
  let added = "";
  for (const [side, line] of lines) {
    if (side === 1) added += `+${line}`;
    else if (side === -1) text += `-${line}`;
    else {
      text += `${added} ${line}`;
      added = "";
    }
  }
  return text + added;
}

function splitLines(text: string): string[] {
  return (text.match(/[^\n]*\n|[^\n]+$/g) ?? [])
    .map((line) => line.endsWith("\n") ? line : `${line}\n\\ No newline at end of file\n`);
}
