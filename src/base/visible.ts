const PLAIN = /^[\n\t\x20-\x7e]*$/;
/** Controls but lines and tabs, bidi marks, other invisible characters, and halves of pairs. */
const INVISIBLE = /(?![\n\t])[\p{C}\p{Zl}\p{Zp}]/gu;

/** Text that is safe on a terminal, whoever it is from: others' characters as `\u009b`. */
export function visibleText(text: string): string {
  // Almost always; a fifth of the time.
  if (PLAIN.test(text)) return text;
  return text.replace(INVISIBLE, (one) => one.split("").map(escaped).join(""));
}

/** One line of JSON that is safe on a terminal and means the same. */
export function visibleJson(value: unknown): string {
  return visibleText(JSON.stringify(value));
}

function escaped(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
