/** Unchanged lines around each change. */
const CONTEXT = 3;

/**
 * A unified diff of two texts with equally many lines, as `patch` takes it; empty for equal ones.
 *
 * Filling a manifest neither adds nor takes away lines, so each is compared with its counterpart.
 */
export function unifiedDiff(
  before: { name: string; text: string },
  after: { name: string; text: string },
): string {
  const old = splitLines(before.text);
  const now = splitLines(after.text);
  if (old.length !== now.length) throw new RangeError("the texts differ in their number of lines");
  const changed = old.flatMap((line, i) => line === now[i] ? [] : [i]);
  if (changed.length === 0) return "";
  const hunks: string[] = [];
  for (let i = 0; i < changed.length;) {
    let last = i;
    // Changes whose context would touch share a hunk.
    while (last + 1 < changed.length && changed[last + 1]! - changed[last]! <= 2 * CONTEXT) last++;
    const from = Math.max(0, changed[i]! - CONTEXT);
    const to = Math.min(old.length, changed[last]! + CONTEXT + 1);
    hunks.push(hunk(old, now, from, to));
    i = last + 1;
  }
  return `--- ${before.name}\n+++ ${after.name}\n${hunks.join("")}`;
}

function hunk(old: readonly string[], now: readonly string[], from: number, to: number): string {
  const lines: string[] = [];
  for (let i = from; i < to;) {
    if (old[i] === now[i]) {
      lines.push(` ${old[i++]}`);
      continue;
    }
    let end = i;
    while (end < to && old[end] !== now[end]) end++;
    lines.push(...old.slice(i, end).map((line) => `-${line}`));
    lines.push(...now.slice(i, end).map((line) => `+${line}`));
    i = end;
  }
  const range = `${from + 1},${to - from}`;
  return `@@ -${range} +${range} @@\n${lines.map(endLine).join("")}`;
}

/** Lines with their line ends. */
function splitLines(text: string): string[] {
  return text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
}

function endLine(line: string): string {
  return line.endsWith("\n") ? line : `${line}\n\\ No newline at end of file\n`;
}
