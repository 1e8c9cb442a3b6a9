const MAX_SHOWN = 80;

/** Text as messages show it: in quotes, control characters escaped, and not all of a long one. */
export function quote(text: string): string {
  return JSON.stringify(text.length <= MAX_SHOWN ? text : `${text.slice(0, MAX_SHOWN - 3)}...`);
}
