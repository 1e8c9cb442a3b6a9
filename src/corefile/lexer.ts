import type { Faults, Place } from "./error.ts";
import { quote } from "./quote.ts";

/** A word of a Corefile. */
export interface Token extends Place {
  text: string;
  /** A quoted brace is plain text. */
  quoted: boolean;
  first: boolean;
}

/** White space as in Go's `unicode.IsSpace`, without CR and LF. */
const SPACE = /[\t\v\f \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/;
const TYPOGRAPHIC = /[\u2018-\u201f\u00ab\u00bb]/;
const INVISIBLE = /[\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]/;
/** Placeholders of node-cache's published manifest. */
const PLACEHOLDER = /__[A-Z]+(?:__[A-Z]+)+__/;
const MAX_SHOWN = 40;

/** Whether a token is this brace, unquoted. */
export function isBrace(token: Token, brace: "{" | "}"): boolean {
  return token.text === brace && !token.quoted;
}

/**
 * Splits a Corefile into words. CR is skipped. An unquoted `#` starts a comment, even within a
 * word. A quoted word ends at the closing quote or line end; `\"` is a quote, another backslash is
 * literal.
 */
export function splitWords(text: string, file: string, faults: Faults): Token[] {
  const tokens: Token[] = [];
  let at = text.startsWith("\ufeff") ? 1 : 0;
  let line = 1;
  let first = true;
  let word = "";
  let wordLine = 0;

  const close = (quoted = false) => {
    const token = { file, line: wordLine, text: word, quoted, first };
    tokens.push(token);
    warnOfDoubt(token, faults);
    word = "";
    first = false;
  };

  while (at < text.length) {
    const character = text[at]!;
    if (character === "\r") {
      at++;
    } else if (character === "\n" || SPACE.test(character)) {
      if (word !== "") close();
      at++;
      if (character !== "\n") continue;
      line++;
      first = true;
    } else if (character === "#") {
      // Undocumented in Caddy: reading resumes after such a comment's first space.
      if (word !== "") {
        const [rest] = /^\S*/.exec(text.slice(at, at + MAX_SHOWN))!;
        const what = `# starts a comment, so only ${quote(word)} of ${quote(word + rest)} is read`;
        const remedy = "a port follows a colon, the name of a TLS server follows %";
        faults.warn({ file, line }, `${what} (${remedy})`);
        close();
      }
      const end = text.indexOf("\n", at);
      at = end < 0 ? text.length : end;
    } else if (character === '"' && word === "") {
      wordLine = line;
      let end = closingQuote(text, at + 1);
      let next = end + 1;
      if (end < 0) {
        faults.at({ file, line }, 'the quote is never closed (add another ")');
        end = text.indexOf("\n", at);
        if (end < 0) end = text.length;
        next = end;
      }
      const content = text.slice(at + 1, end);
      word = content.replaceAll('\\"', '"');
      close(true);
      for (const character of content) if (character === "\n") line++;
      at = next;
    } else {
      if (word === "") wordLine = line;
      word += character;
      at++;
    }
  }
  if (word !== "") close();
  return tokens;
}

function closingQuote(text: string, start: number): number {
  for (let at = start; at < text.length; at++) {
    if (text[at] === "\\") at++;
    else if (text[at] === '"') return at;
  }
  return -1;
}

function warnOfDoubt(token: Token, faults: Faults): void {
  const { text, quoted } = token;
  const invisible = INVISIBLE.exec(text)?.[0];
  const typographic = quoted ? undefined : TYPOGRAPHIC.exec(text)?.[0];
  const placeholder = PLACEHOLDER.exec(text)?.[0];
  if (invisible !== undefined) {
    const code = invisible.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0");
    faults.warn(
      token,
      `${quote(text)} contains the invisible character U+${code} (retype the word)`,
    );
  } else if (typographic !== undefined) {
    const what = `${quote(text)} contains the typographic quotation mark ${typographic}`;
    faults.warn(token, `${what} (write ")`);
  } else if (placeholder !== undefined) {
    const what = `the placeholder ${placeholder} was not filled in`;
    faults.warn(token, `${what} (write an address, or start with -localip, which fills it)`);
  }
}
