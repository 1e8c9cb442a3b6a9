import { quote } from "./quote.ts";
import type { Token } from "./token.ts";

/** Quotation marks of word processors. */
const TYPOGRAPHIC = /[\u2018-\u201f\u00ab\u00bb]/;
/** Characters that show nothing: soft hyphen, zero width, marks of direction, byte order mark. */
const INVISIBLE = /[\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]/;
/** Placeholders of node-cache's published manifest. */
const PLACEHOLDER = /__[A-Z]+(?:__[A-Z]+)+__/;

/** What a word that is legal was probably not meant to hold, with what would do; null for nothing. */
export function doubtfulWord({ text, quoted }: Token): string | null {
  const invisible = INVISIBLE.exec(text);
  if (invisible !== null) {
    const code = invisible[0].codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0");
    return `${quote(text)} holds the invisible character U+${code} (type the word anew)`;
  }
  const typographic = quoted ? null : TYPOGRAPHIC.exec(text);
  if (typographic !== null) {
    return `${quote(text)} holds the typographic quotation mark ${typographic[0]} (write ")`;
  }
  const placeholder = PLACEHOLDER.exec(text);
  if (placeholder !== null) {
    return `the placeholder ${placeholder[0]} was not filled in (write an address, or start with ` +
      "-localip, which fills it)";
  }
  return null;
}
