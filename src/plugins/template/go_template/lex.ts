import { matchAt, readToken, tokenPattern } from "../tokens.ts";

/** A word of an action. */
export interface Token {
  kind: "field" | "dot" | "name" | "variable" | "text" | "number" | "character" | "sign";
  text: string;
  /** White space precedes it. */
  spaced: boolean;
}

/** Text, or an action's words. */
export type Piece = string | Token[];

const LANGUAGE = {
  pattern: tokenPattern(
    /\.(?<field>[\p{L}_][\p{L}\p{Nd}_]*)/u,
    /(?<number>[+-]?\.?[0-9][0-9a-zA-Z_.]*(?:(?<=[eE])[+-][0-9]+)?)/u,
    /(?<dot>\.)/u,
    /(?<variable>\$[\p{L}\p{Nd}_]*)/u,
    /(?<name>[\p{L}_][\p{L}\p{Nd}_]*)/u,
    /`(?<raw>[^`]*)`/u,
    /"(?<quoted>(?:[^"\\\n]|\\[^\n])*)"/u,
    /'(?<character>[^'\\\n]|\\[^\n]+?)'/u,
    /(?<sign>:=|[=()|,])/u,
  ),
  escapes:
    /\\(?:[xuU](?<hex>(?<=x)[0-9a-fA-F]{2}|(?<=u)[0-9a-fA-F]{4}|(?<=U)[0-9a-fA-F]{8})|(?<octal>[0-7]{3})|(?<letter>[^]))/g,
  where: " in an action",
};
const COMMENT = /\s*\/\*[^]*?\*\/(\s-)?\}\}/y;
const CLOSE = /\s*(\s-)?\}\}/y;
const SPACE = /\s*/y;

/** Splits a template. Throws `SyntaxError`. */
export function lex(template: string): Piece[] {
  const pieces: Piece[] = [];
  let trimStart = false;
  for (let at = 0;;) {
    const open = template.indexOf("{{", at);
    let text = template.slice(at, open < 0 ? undefined : open);
    if (trimStart) text = text.trimStart();
    const trimEnd = open >= 0 && /^-\s/.test(template.slice(open + 2, open + 4));
    if (trimEnd) text = text.trimEnd();
    if (text !== "") pieces.push(text);
    if (open < 0) return pieces;
    at = open + (trimEnd ? 3 : 2);
    const comment = matchAt(COMMENT, template, at);
    const action: Token[] = [];
    let close = comment ?? matchAt(CLOSE, template, at);
    for (; close === null; close = matchAt(CLOSE, template, at)) {
      const space = matchAt(SPACE, template, at)![0].length;
      at += space;
      if (at === template.length) throw new SyntaxError("an action has no closing }}");
      const { kind, text, end } = readToken<Token["kind"]>(LANGUAGE, template, at);
      action.push({ kind, text, spaced: space > 0 });
      at = end;
    }
    if (comment === null) pieces.push(action);
    at += close[0].length;
    trimStart = close[1] !== undefined;
  }
}
