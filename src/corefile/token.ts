import type { Place } from "./error.ts";

/** A word of a Corefile, and where it stands. */
export interface Token extends Place {
  text: string;
  /** It stood in quotes, so a brace is only text. */
  quoted: boolean;
  /** It is the first of its line. */
  first: boolean;
}

/** A directive or option: its words, and the lines of its block. */
export interface Line {
  /** At least one. */
  words: [Token, ...Token[]];
  /** Null where the line has no braces. */
  block: Line[] | null;
}

/** Whether a token is this brace, rather than the same text in quotes. */
export function isBrace(token: Token, brace: "{" | "}"): boolean {
  return token.text === brace && !token.quoted;
}
