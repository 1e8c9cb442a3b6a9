import { TemplateError } from "./syntax.ts";

/** A word of an action. */
export interface Token {
  kind: "field" | "dot" | "name" | "variable" | "text" | "number" | "character" | "sign";
  /** Without quotes and escapes. */
  text: string;
  /** Blank space stands before it. */
  spaced: boolean;
}

/** What a template is made of: text that stands as it is, and actions. */
export type Piece = { text: string } | { action: Token[] };

const SIGNS = [":=", "=", "(", ")", "|", ","];
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
    if (text !== "") pieces.push({ text });
    if (open < 0) return pieces;
    at = open + (trimsBefore ? 3 : 2);
    const { action, end, trimsAfter } = lexAction(template, at);
    if (action !== null) pieces.push({ action });
    at = end;
    trimStart = trimsAfter;
  }
}

/** Reads an action that begins at `at`, behind its braces; null for a comment. */
function lexAction(
  template: string,
  at: number,
): { action: Token[] | null; end: number; trimsAfter: boolean } {
  const comment = /^\s*\/\*[^]*?\*\/(\s-)?\}\}/.exec(template.slice(at));
  if (comment !== null) {
    return { action: null, end: at + comment[0].length, trimsAfter: comment[1] !== undefined };
  }
  const action: Token[] = [];
  for (let spaced = false;;) {
    const rest = template.slice(at);
    if (rest === "") throw new TemplateError("an action has no closing }}");
    const [close] = /^(\s-)?\}\}/.exec(rest) ?? [];
    if (close !== undefined) {
      return { action, end: at + close.length, trimsAfter: close.length > 2 };
    }
    const [space] = /^\s+/.exec(rest) ?? [];
    if (space !== undefined) {
      // A trim marker needs a blank before it.
      at += space.length - (rest.startsWith("-}}", space.length) ? 1 : 0);
      spaced = true;
      continue;
    }
    const { token, length } = lexToken(rest);
    action.push({ ...token, spaced });
    spaced = false;
    at += length;
  }
}

function lexToken(rest: string): { token: Omit<Token, "spaced">; length: number } {
  const find = (pattern: RegExp) => pattern.exec(rest)?.[0];
  const token = (kind: Token["kind"], text: string, length = text.length) => ({
    token: { kind, text },
    length,
  });
  const field = find(/^\.[\p{L}_][\p{L}\p{Nd}_]*/u);
  if (field !== undefined) return token("field", field.slice(1), field.length);
  const number = find(/^[+-]?\.?[0-9][0-9a-zA-Z_.]*(?:(?<=[eE])[+-][0-9]+)?/);
  if (number !== undefined) return token("number", number);
  if (rest[0] === ".") return token("dot", ".");
  const variable = find(/^\$[\p{L}\p{Nd}_]*/u);
  if (variable !== undefined) return token("variable", variable);
  const name = find(/^[\p{L}_][\p{L}\p{Nd}_]*/u);
  if (name !== undefined) return token("name", name);
  const raw = find(/^`[^`]*`/);
  if (raw !== undefined) return token("text", raw.slice(1, -1), raw.length);
  const quoted = find(/^"(?:[^"\\\n]|\\[^\n])*"/);
  if (quoted !== undefined) return token("text", unquote(quoted.slice(1, -1)), quoted.length);
  const character = find(/^'(?:[^'\\\n]|\\[^\n]+?)'/u);
  if (character !== undefined) {
    return token("character", unquote(character.slice(1, -1)), character.length);
  }
  const sign = SIGNS.find((one) => rest.startsWith(one));
  if (sign !== undefined) return token("sign", sign);
  throw new TemplateError(
    /^["'`]/.test(rest)
      ? `the quote ${rest[0]} is not closed`
      : `unexpected ${JSON.stringify(rest[0])} in an action`,
  );
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
