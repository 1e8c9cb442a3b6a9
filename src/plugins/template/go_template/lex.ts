import { TemplateError } from "./values.ts";

/** A word of an action. */
export interface Token {
  kind: "field" | "dot" | "name" | "variable" | "text" | "number" | "character" | "sign";
  /** Without quotes and escapes. */
  text: string;
  /** White space precedes it. */
  spaced: boolean;
}

/** A piece of a template: text, or the words of an action. */
export type Piece = string | Token[];

/** In the order in which they are tried; the text of a token is the group, if there is one. */
const TOKENS: readonly (readonly [Token["kind"], RegExp, "quoted"?])[] = [
  ["field", /\.([\p{L}_][\p{L}\p{Nd}_]*)/uy],
  ["number", /[+-]?\.?[0-9][0-9a-zA-Z_.]*(?:(?<=[eE])[+-][0-9]+)?/y],
  ["dot", /\./y],
  ["variable", /\$[\p{L}\p{Nd}_]*/uy],
  ["name", /[\p{L}_][\p{L}\p{Nd}_]*/uy],
  ["text", /`([^`]*)`/y],
  ["text", /"((?:[^"\\\n]|\\[^\n])*)"/y, "quoted"],
  ["character", /'([^'\\\n]|\\[^\n]+?)'/uy, "quoted"],
  ["sign", /:=|[=()|,]/y],
];
const COMMENT = /\s*\/\*[^]*?\*\/(\s-)?\}\}/y;
const CLOSE = /\s*(\s-)?\}\}/y;
const SPACE = /\s*/y;
const ESCAPES: Readonly<Record<string, string>> = {
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
  "\\": "\\",
  "'": "'",
  '"': '"',
};

/** Splits a template into its pieces. Throws `TemplateError`. */
export function lex(template: string): Piece[] {
  const pieces: Piece[] = [];
  let at = 0;
  let trimStart = false;
  for (;;) {
    const open = template.indexOf("{{", at);
    let text = template.slice(at, open < 0 ? undefined : open);
    if (trimStart) text = text.trimStart();
    const trimsBefore = open >= 0 && /^-\s/.test(template.slice(open + 2, open + 4));
    if (trimsBefore) text = text.trimEnd();
    if (text !== "") pieces.push(text);
    if (open < 0) return pieces;
    const start = open + (trimsBefore ? 3 : 2);
    const { action, end, trimsAfter } = lexAction(template, start);
    if (action !== null) pieces.push(action);
    at = end;
    trimStart = trimsAfter;
  }
}

/** Reads the action that begins at `at`, after its braces; null for a comment. */
function lexAction(
  template: string,
  at: number,
): { action: Token[] | null; end: number; trimsAfter: boolean } {
  const find = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    return pattern.exec(template);
  };
  const action: Token[] = [];
  for (;;) {
    const comment = action.length === 0 ? find(COMMENT) : null;
    const close = comment ?? find(CLOSE);
    if (close !== null) {
      return {
        action: comment === null ? action : null,
        end: at + close[0].length,
        trimsAfter: close[1] !== undefined,
      };
    }
    const [space] = find(SPACE)!;
    at += space.length;
    if (at === template.length) throw new TemplateError("an action has no closing }}");
    let token: Token | null = null;
    for (const [kind, pattern, quoted] of TOKENS) {
      const found = find(pattern);
      if (found === null) continue;
      const text = found[1] ?? found[0];
      token = { kind, text: quoted ? unquote(text) : text, spaced: space !== "" };
      at += found[0].length;
      break;
    }
    if (token === null) {
      const character = template[at]!;
      throw new TemplateError(
        "\"'`".includes(character)
          ? `the quote ${character} is not closed`
          : `unexpected ${JSON.stringify(character)} in an action`,
      );
    }
    action.push(token);
  }
}

function unquote(text: string): string {
  return text.replace(
    /\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|([^]))/g,
    (_, x, u, long, octal, letter) => {
      const code = x ?? u ?? long;
      if (code !== undefined) {
        const point = parseInt(code, 16);
        if (point > 0x10ffff) throw new TemplateError(`\\U${code} is not a character`);
        return String.fromCodePoint(point);
      }
      if (octal !== undefined) return String.fromCharCode(parseInt(octal, 8));
      const plain = ESCAPES[letter];
      if (plain === undefined) throw new TemplateError(`\\${letter} is not an escape`);
      return plain;
    },
  );
}
