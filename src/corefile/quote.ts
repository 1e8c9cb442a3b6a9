const MAX_SHOWN = 80;

/** What shows nothing, or changes the order of what does. */
const INVISIBLE = /[\u007f-\u00a0\u00ad\u180e\u200b-\u200f\u2028-\u202e\u2060-\u2064\ufeff]/g;

/** Text as messages show it: in quotes, what does not show escaped, and not all of a long one. */
export function quote(text: string): string {
  return JSON.stringify(text.length <= MAX_SHOWN ? text : `${text.slice(0, MAX_SHOWN - 3)}...`)
    .replace(INVISIBLE, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
