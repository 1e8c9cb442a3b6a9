const MAX_SHOWN = 80;

/** Includes characters that change text direction. */
const INVISIBLE = /[\u007f-\u00a0\u00ad\u180e\u200b-\u200f\u2028-\u202e\u2060-\u2064\ufeff]/g;

/** Quotes text for messages, shortened and with invisible characters escaped. */
export function quote(text: string): string {
  return JSON.stringify(text.length <= MAX_SHOWN ? text : `${text.slice(0, MAX_SHOWN - 3)}...`)
    .replace(INVISIBLE, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
