import { answerTo } from "./answers.ts";
import { difference } from "./same_answer.ts";

/** The epoch, at most `epochs`, in which a plain query has this answer; -1 for none, -2 for another. */
export function epochOf(query: Uint8Array, answer: Uint8Array | null, epochs: number): number {
  if (answer === null) return -1;
  for (let epoch = epochs; epoch >= 0; epoch--) {
    const expected = answerTo(query, { epoch, given: new Map() })!;
    // AD is for those that ask for it.
    expected[3]! &= ~0x20;
    if (difference(answer, expected, { authority: true }) === "") return epoch;
  }
  return -2;
}
