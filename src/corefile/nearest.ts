import { quote } from "./quote.ts";

/** Longer words are not misspellings. */
const MAX_LENGTH = 40;

/** The word probably meant, or null. */
export function nearest(word: string, known: Iterable<string>): string | null {
  if (word.length > MAX_LENGTH) return null;
  let best: string | null = null;
  let bestDistance = Infinity;
  for (const candidate of known) {
    const length = Math.max(word.length, candidate.length);
    const limit = length < 5 ? 1 : Math.max(2, Math.floor(length / 3));
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    // Otherwise every one-letter word would match.
    if (distance <= limit && distance < candidate.length && distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** A hint such as ` (did you mean "cache"?)`, or "". */
export function didYouMean(word: string, known: Iterable<string>): string {
  const candidate = nearest(word, known);
  return candidate === null ? "" : ` (did you mean "${candidate}"?)`;
}

/** Unknown word with suggestion, or all known words. */
export function unknownWord(word: string, known: readonly string[]): string {
  return `${quote(word)}${didYouMean(word, known) || ` (${known.join(", ")})`}`;
}

/** Message for an unknown option. */
export function unknownOption(option: string, known: readonly string[]): string {
  return `unknown option ${unknownWord(option, known)}`;
}

function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        cost = Math.min(cost, beforeLast[j - 2]! + 1);
      }
      row.push(cost);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length]!;
}
