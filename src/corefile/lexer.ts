import type { Place } from "./error.ts";

/** One word of a Corefile. */
export interface Token extends Place {
  text: string;
  /** It stood in quotes, so it is never a brace or the start of a comment. */
  quoted: boolean;
  /** Line on which it ends; quoted text may run over several. */
  endLine: number;
}

const SPACE = /\s/;

/**
 * Cuts text into words, as the Caddyfile dialect of CoreDNS has it.
 *
 * White space separates words. A word that begins with `"` goes on to the next `"`; in it `\"` is a
 * quote and every other backslash stands for itself. A `#` outside quotes begins a comment, even in
 * the middle of a word, that ends with the line.
 */
export function lex(text: string, file: string): Token[] {
  const tokens: Token[] = [];
  let at = text.charCodeAt(0) === 0xfeff ? 1 : 0;
  let line = 1;
  while (at < text.length) {
    const character = text[at]!;
    if (character === "\n") line++;
    if (SPACE.test(character)) {
      at++;
      continue;
    }
    if (character === "#") {
      while (at < text.length && text[at] !== "\n") at++;
      continue;
    }
    const start = line;
    if (character === '"') {
      let value = "";
      at++;
      for (; at < text.length && text[at] !== '"'; at++) {
        if (text[at] === "\\" && text[at + 1] === '"') at++;
        if (text[at] === "\n") line++;
        value += text[at];
      }
      at++;
      tokens.push({ file, line: start, endLine: line, text: value, quoted: true });
      continue;
    }
    const from = at;
    while (at < text.length && text[at] !== "#" && !SPACE.test(text[at]!)) at++;
    const word = text.slice(from, at);
    tokens.push({ file, line: start, endLine: start, text: word, quoted: false });
  }
  return tokens;
}
