import { ExpressionError } from "./scope.ts";

/** A word; `text` is without quotes and escapes. */
export interface Token {
  kind: "number" | "text" | "name" | "sign" | "end";
  text: string;
}

/** One group per kind of token; `quoted` and `raw` are texts. */
const TOKEN = new RegExp(
  [
    /(?<number>0[xX][0-9a-fA-F][0-9a-fA-F_]*|[0-9][0-9_]*(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)/,
    /(?<name>[\p{L}_][\p{L}\p{Nd}_]*)/u,
    /(?<quoted>"(?:[^"\\\n]|\\[^\n])*"|'(?:[^'\\\n]|\\[^\n])*')/,
    /(?<raw>`[^`]*`)/,
    /(?<sign>\|\||&&|==|!=|<=|>=|\.\.|\*\*|\?\?|[-+*/%^<>!?:|.,()[\]{}#])/,
  ].map(({ source }) => source).join("|"),
  "uy",
);
const SPACE = /\s*/y;
const ESCAPES: Readonly<Record<string, string>> = {
  ...{ a: "\x07", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t", v: "\v" },
  ...{ "\\": "\\", "'": "'", '"': '"' },
};

/** Each may nest compiled functions. */
const MAX_WORDS = 500;

/** Splits into words; the last is `end`. Throws `ExpressionError`. */
export function lex(expression: string): Token[] {
  const tokens: Token[] = [];
  for (let at = 0;;) {
    SPACE.lastIndex = at;
    at += SPACE.exec(expression)![0].length;
    if (at === expression.length) break;
    TOKEN.lastIndex = at;
    const found = TOKEN.exec(expression);
    if (found === null) {
      const sign = String.fromCodePoint(expression.codePointAt(at)!);
      const isQuote = "\"'`".includes(sign);
      throw new ExpressionError(
        isQuote ? `the quote ${sign} is not closed` : `unexpected ${JSON.stringify(sign)}`,
      );
    }
    at = TOKEN.lastIndex;
    if (tokens.length === MAX_WORDS) {
      throw new ExpressionError(`it has more than ${MAX_WORDS} words and signs`);
    }
    const [kind, text] = Object.entries(found.groups!).find(([, text]) => text !== undefined)!;
    if (kind === "quoted") tokens.push({ kind: "text", text: unescape(text!.slice(1, -1)) });
    else if (kind === "raw") tokens.push({ kind: "text", text: text!.slice(1, -1) });
    else tokens.push({ kind: kind as Token["kind"], text: text! });
  }
  return [...tokens, { kind: "end", text: "" }];
}

function unescape(text: string): string {
  return text.replace(/\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|([^]))/g, (_, x, u, letter) => {
    const code = x ?? u;
    if (code !== undefined) return String.fromCharCode(parseInt(code, 16));
    const escaped = ESCAPES[letter];
    if (escaped === undefined) throw new ExpressionError(`\\${letter} is not an escape`);
    return escaped;
  });
}
