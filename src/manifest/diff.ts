const CONTEXT = 3;

/** Unified diff; compares lines pairwise, as filling preserves lines. */
export function unifiedDiff(
  before: { name: string; text: string },
  after: { name: string; text: string },
): string {
  const old = splitLines(before.text);
  const now = splitLines(after.text);
  if (old.length !== now.length) throw new RangeError("the texts differ in their number of lines");
  const changed = old.flatMap((line, i) => line === now[i] ? [] : [i]);
  if (changed.length === 0) return "";
  let text = `--- ${before.name}\n+++ ${after.name}\n`;
  for (let i = 0; i < changed.length; i++) {
    const from = Math.max(0, changed[i]! - CONTEXT);
    // Adjacent contexts share a hunk.
    while (i + 1 < changed.length && changed[i + 1]! - changed[i]! <= 2 * CONTEXT) i++;
    const to = Math.min(old.length, changed[i]! + CONTEXT + 1);
    const range = `${from + 1},${to - from}`;
    text += `@@ -${range} +${range} @@\n${hunk(old, now, from, to)}`;
  }
  return text;
}

function hunk(old: readonly string[], now: readonly string[], from: number, to: number): string {
  let text = "";
  for (let i = from; i < to;) {
    let end = i;
    while (end < to && old[end] !== now[end]) end++;
    for (const line of old.slice(i, end)) text += `-${line}`;
    for (const line of now.slice(i, end)) text += `+${line}`;
    if (end === i) text += ` ${old[end++]}`;
    i = end;
  }
  return text;
}

function splitLines(text: string): string[] {
  return (text.match(/[^\n]*\n|[^\n]+$/g) ?? [])
    .map((line) => line.endsWith("\n") ? line : `${line}\n\\ No newline at end of file\n`);
}
