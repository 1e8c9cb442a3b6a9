import { matchAt, readToken, tokenPattern } from "../tokens.ts";

/** A word; `text` is without quotes and escapes. */
export interface Token {
  kind: "number" | "text" | "name" | "sign" | "end";
  text: string;
}

const LANGUAGE = {
  pattern: tokenPattern(
    /(?<number>0[xX][0-9a-fA-F][0-9a-fA-F_]*|[0-9][0-9_]*(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)/,
    /(?<name>[\p{L}_][\p{L}\p{Nd}_]*)/u,
    /"(?<quoted>(?:[^"\\\n]|\\[^\n])*)"/,
    /'(?<single>(?:[^'\\\n]|\\[^\n])*)'/,
    /`(?<raw>[^`]*)`/,
    /(?<sign>\|\||&&|==|!=|<=|>=|\.\.|\*\*|\?\?|[-+*/%^<>!?:|.,()[\]{}#])/,
  ),
  escapes: /\\(?:[xu](?<hex>(?<=x)[0-9a-fA-F]{2}|(?<=u)[0-9a-fA-F]{4})|(?<letter>[^]))/g,
  where: "",
};
const SPACE = /\s*/y;

/** Each may nest compiled functions. */
const MAX_WORDS = 500;

/** Splits into words; the last is `end`. Throws `SyntaxError`. */
export function lex(expression: string): Token[] {
  const tokens: Token[] = [];
  for (let at = 0;;) {
    at += matchAt(SPACE, expression, at)![0].length;
    if (at === expression.length) return [...tokens, { kind: "end", text: "" }];
    const { kind, text, end } = readToken<Token["kind"]>(LANGUAGE, expression, at);
    if (tokens.length === MAX_WORDS) {
      throw new SyntaxError(`it has more than ${MAX_WORDS} words and signs`);
    }
    tokens.push({ kind, text });
    at = end;
  }
}
