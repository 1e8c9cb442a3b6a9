/** A change of lines; `at` counts from 0, Infinity is the end. */
export interface Edit {
  readonly at: number;
  readonly remove: number;
  readonly lines: readonly string[];
}

/** Lines searched for a block's brace. */
const MAX_HEAD = 100;

/** Applies edits that do not overlap. */
export function applyEdits(text: string, edits: readonly Edit[]): string {
  const lines = text.replace(/\n$/, "").split("\n");
  const end = lines.length;
  // Backwards, so that positions stay valid; at one position, the first edit comes first. Infinity
  // minus itself is NaN.
  const backwards = edits.toReversed().toSorted((a, b) => b.at - a.at || 0);
  for (const { at, remove, lines: added } of backwards) {
    lines.splice(Math.min(at, end), remove, ...added);
  }
  return `${lines.join("\n")}\n`;
}

/** First line from `start` that ends with an opening brace, or null. */
export function openingLine(text: string, start: number): number | null {
  const lines = text.split("\n", start + MAX_HEAD);
  for (let at = start; at < lines.length; at++) {
    if (/\{\s*$/.test(withoutComment(lines[at]!))) return at;
    if (lines[at]!.includes("}")) return null;
  }
  return null;
}

/** Last line of the directive at `at`; its options have no blocks. */
export function endOf(text: string, at: number, hasBlock: boolean): number {
  if (!hasBlock) return at;
  const lines = text.split("\n");
  const end = lines.findIndex((line, i) => i >= at && /(^|\s)\}/.test(withoutComment(line)));
  return end < 0 ? at : end;
}

/** Indentation of a block whose brace ends line `at`. */
export function indentAfter(text: string, at: number): string {
  const next = text.split("\n").slice(at + 1).find((line) => line.trim() !== "") ?? "";
  return /^[ \t]+(?=[^\s}])/.exec(next)?.[0] ?? "    ";
}

function withoutComment(line: string): string {
  return line.replace(/(^|\s)#.*/, "");
}
