/**
 * Replaces `{%NAME%}` and `{$NAME}` by the values of environment variables, nothing for one that
 * is not set.
 *
 * A value is not searched for further references, so no value can make this go on for ever.
 *
 * @param missing - is told the name of a variable that is not set
 */
export function replaceEnvironment(
  text: string,
  env: (name: string) => string | undefined,
  missing: (name: string) => void,
): string {
  if (!text.includes("{")) return text;
  const value = (name: string): string => {
    const found = env(name);
    if (found === undefined) missing(name);
    return found ?? "";
  };
  return replaceBetween(replaceBetween(text, "{%", "%}", value), "{$", "}", value);
}

function replaceBetween(
  text: string,
  start: string,
  end: string,
  value: (name: string) => string,
): string {
  let result = "";
  let from = 0;
  for (;;) {
    const open = text.indexOf(start, from);
    const close = open < 0 ? -1 : text.indexOf(end, open + start.length);
    // A reference without a name ends the search, as in CoreDNS.
    if (close <= open + start.length) return result + text.slice(from);
    const name = text.slice(open + start.length, close);
    result += text.slice(from, open) + value(name);
    from = close + end.length;
  }
}
