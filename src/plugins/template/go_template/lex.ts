import { TemplateError } from "./values.ts";

/** A word of an action. */
export interface Token {
  kind: "field" | "dot" | "name" | "variable" | "text" | "number" | "character" | "sign";
  /** Without quotes and escapes. */
  text: string;
  /** White space precedes it. */
  spaced: boolean;
}

/** Text, or an action's words. */
export type Piece = string | Token[];

/** One group per kind of token; `raw` and `quoted` are texts. */
const TOKEN = new RegExp(
  [
    /\.(?<field>[\p{L}_][\p{L}\p{Nd}_]*)/u,
    /(?<number>[+-]?\.?[0-9][0-9a-zA-Z_.]*(?:(?<=[eE])[+-][0-9]+)?)/u,
    /(?<dot>\.)/u,
    /(?<variable>\$[\p{L}\p{Nd}_]*)/u,
    /(?<name>[\p{L}_][\p{L}\p{Nd}_]*)/u,
    /`(?<raw>[^`]*)`/u,
    /"(?<quoted>(?:[^"\\\n]|\\[^\n])*)"/u,
    /'(?<character>[^'\\\n]|\\[^\n]+?)'/u,
    /(?<sign>:=|[=()|,])/u,
  ].map(({ source }) => source).join("|"),
  "uy",
);
const COMMENT = /\s*\/\*[^]*?\*\/(\s-)?\}\}/y;
const CLOSE = /\s*(\s-)?\}\}/y;
const SPACE = /\s*/y;
const ESCAPES = "abfnrtv\\'\"";
const ESCAPED = "\x07\b\f\n\r\t\v\\'\"";

/** Splits a template. Throws `TemplateError`. */
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
    const comment = match(COMMENT, template, at);
    const action: Token[] = [];
    let close = comment ?? match(CLOSE, template, at);
    for (; close === null; close = match(CLOSE, template, at)) {
      const spaceEnd = at + match(SPACE, template, at)![0].length;
      const { token, end } = lexToken(template, spaceEnd, spaceEnd > at);
      action.push(token);
      at = end;
    }
    if (comment === null) pieces.push(action);
    at += close[0].length;
    trimStart = close[1] !== undefined;
  }
}

function lexToken(template: string, at: number, spaced: boolean): { token: Token; end: number } {
  const character = template[at];
  if (character === undefined) throw new TemplateError("an action has no closing }}");
  const found = match(TOKEN, template, at);
  if (found === null) {
    const isQuote = "\"'`".includes(character);
    throw new TemplateError(
      isQuote
        ? `the quote ${character} is not closed`
        : `unexpected ${JSON.stringify(character)} in an action`,
    );
  }
  const [group, text] = Object.entries(found.groups!).find(([, text]) => text !== undefined)!;
  const escapes = group === "quoted" || group === "character";
  const kind = group === "raw" || group === "quoted" ? "text" : group as Token["kind"];
  const token = { kind, text: escapes ? unquote(text!) : text!, spaced };
  return { token, end: at + found[0].length };
}

function match(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(text);
}

function unquote(text: string): string {
  return text.replace(
    /\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|([^]))/g,
    (_, x, u, long, octal, letter) => {
      const code = x ?? u ?? long;
      if (octal !== undefined) return String.fromCharCode(parseInt(octal, 8));
      if (code !== undefined) {
        const point = parseInt(code, 16);
        if (point > 0x10ffff) throw new TemplateError(`\\U${code} is not a character`);
        return String.fromCodePoint(point);
      }
      const escape = ESCAPES.indexOf(letter);
      if (escape < 0) throw new TemplateError(`\\${letter} is not an escape`);
      return ESCAPED[escape]!;
    },
  );
}
