/** Longer text is cut: names have at most 1,004 characters in presentation format. */
const MAX_LENGTH = 1100;
/** Controls, bidi marks, other invisibles, surrogate halves. */
const INVISIBLE = /[\p{C}\p{Zl}\p{Zp}]/gu;
const INVISIBLE_BESIDE_LINES = /(?![\n\t])[\p{C}\p{Zl}\p{Zp}]/gu;

/** Escapes deceptive characters: `\u{202E}`. */
export function visible(text: string): string {
  return escape(text.length > MAX_LENGTH ? `${text.slice(0, MAX_LENGTH)}…` : text, INVISIBLE);
}

/** As `visible`, for long text with lines and tabs. */
export function visibleLines(text: string): string {
  return escape(text, INVISIBLE_BESIDE_LINES);
}

/** Copies plain data with texts visible. */
export function visibleTexts<T>(value: T): T {
  if (typeof value === "string") return visible(value) as T;
  if (Array.isArray(value)) return value.map(visibleTexts) as T;
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, one]) => [key, visibleTexts(one)]),
  ) as T;
}

function escape(text: string, pattern: RegExp): string {
  return text.replace(
    pattern,
    (one) => `\\u{${one.codePointAt(0)!.toString(16).toUpperCase()}}`,
  );
}
