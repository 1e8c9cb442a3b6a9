import { CorefileError, type Place } from "./error.ts";
import { quote } from "./quote.ts";
import type { Token } from "./token.ts";

/** White space as Go's `unicode.IsSpace` has it, without CR and LF. */
const SPACE = /[\t\v\f \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/;

/** Characters of a comment that are shown. */
const MAX_SHOWN = 40;

/**
 * Splits a Corefile into words.
 *
 * White space separates words; CR is nothing at all, so both kinds of line end will do. A `#`
 * outside quotes starts a comment, even within a word. A quote opens a quoted word only where a
 * word starts, and the quoted word ends with the closing quote whatever follows; it may hold line
 * feeds, and `\"` for a quote, while a backslash before anything else is a backslash.
 *
 * @param fault - is told of a quote that is never closed; the word then ends with its line
 * @param warn - is told of what is legal and seldom meant: a comment within a word
 */
export function splitWords(
  text: string,
  file: string,
  fault: (error: CorefileError) => void,
  warn: (place: Place, text: string) => void = () => {},
): Token[] {
  const tokens: Token[] = [];
  // A byte order mark is no part of the text.
  let at = text.startsWith("\ufeff") ? 1 : 0;
  let line = 1;
  let first = true;
  let word = "";
  let wordLine = 0;

  const close = (quoted: boolean) => {
    tokens.push({ file, line: wordLine, text: word, quoted, first });
    word = "";
    first = false;
  };

  while (at < text.length) {
    const character = text[at]!;
    if (character === "\r") {
      at++;
    } else if (character === "\n") {
      if (word !== "") close(false);
      at++;
      line++;
      first = true;
    } else if (SPACE.test(character)) {
      if (word !== "") close(false);
      at++;
    } else if (character === "#") {
      // Caddy goes on reading words behind the first space of a comment that starts within a
      // word; nobody means that, and its own description says that the line is skipped.
      const end = text.indexOf("\n", at);
      if (word !== "") {
        const [rest] = /^\S*/.exec(text.slice(at, at + MAX_SHOWN))!;
        warn(
          { file, line },
          `# begins a comment, so of ${quote(word + rest)} only ${quote(word)} is read ` +
            "(a port stands behind a colon, the name of a TLS server behind %)",
        );
        close(false);
      }
      at = end < 0 ? text.length : end;
    } else if (character === '"' && word === "") {
      wordLine = line;
      let end = closingQuote(text, at + 1);
      let next = end + 1;
      if (end < 0) {
        fault(new CorefileError({ file, line }, "", 'the quote is never closed (add another ")'));
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
  if (word !== "") close(false);
  return tokens;
}

/** Place of the quote that ends the quoted word which starts at `start`, or -1. */
function closingQuote(text: string, start: number): number {
  for (let at = start; at < text.length; at++) {
    if (text[at] === "\\") at++;
    else if (text[at] === '"') return at;
  }
  return -1;
}
