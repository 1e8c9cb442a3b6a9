/** What the lexers of both languages share. */

/** Token kinds by named group; `quoted` and `single` have escapes, `raw` has none. */
const KINDS: Readonly<Record<string, string>> = { quoted: "text", single: "text", raw: "text" };
const ESCAPES = "abfnrtv\\'\"";
const ESCAPED = "\x07\b\f\n\r\t\v\\'\"";

/** A sticky pattern of alternatives, each with a named group. */
export function tokenPattern(...alternatives: readonly RegExp[]): RegExp {
  return new RegExp(alternatives.map(({ source }) => source).join("|"), "uy");
}

/** Matches a sticky pattern at a place. */
export function matchAt(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(text);
}

/** Reads a token without quotes and escapes. Throws `SyntaxError`. */
export function readToken<Kind extends string>(
  { pattern, escapes, where }: { pattern: RegExp; escapes: RegExp; where: string },
  source: string,
  at: number,
): { kind: Kind; text: string; end: number } {
  const found = matchAt(pattern, source, at);
  if (found === null) {
    const sign = String.fromCodePoint(source.codePointAt(at)!);
    throw new SyntaxError(
      "\"'`".includes(sign)
        ? `the quote ${sign} is not closed`
        : `unexpected ${JSON.stringify(sign)}${where}`,
    );
  }
  const [group, text] = Object.entries(found.groups!).find(([, text]) => text !== undefined)!;
  const escaped = group === "quoted" || group === "single" || group === "character";
  return {
    kind: (KINDS[group] ?? group) as Kind,
    text: escaped ? unescape(text!, escapes) : text!,
    end: at + found[0].length,
  };
}

/** `escapes` has the groups `hex`, `octal` or `letter`. */
function unescape(text: string, escapes: RegExp): string {
  return text.replace(escapes, (...match) => {
    const { hex, octal, letter } = match.at(-1) as Record<string, string | undefined>;
    if (letter === undefined) {
      const point = parseInt(hex ?? octal!, hex === undefined ? 8 : 16);
      if (point <= 0x10ffff) return String.fromCodePoint(point);
      throw new SyntaxError(`\\U${hex} is not a character`);
    }
    const escape = ESCAPES.indexOf(letter);
    if (escape < 0) throw new SyntaxError(`\\${letter} is not an escape`);
    return ESCAPED[escape]!;
  });
}
