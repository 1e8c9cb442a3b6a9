/** What is logged of an exception that the data plane survived: one line, or its whole stack. */
export function panicText(error: unknown, whole: boolean): string {
  const recovered = "Recovered from panic in the data plane: ";
  if (!(error instanceof Error)) return recovered + String(error);
  if (whole) return recovered + (error.stack ?? String(error));
  const place = /^\s+(at .*)$/m.exec(error.stack ?? "")?.[1];
  const message = String(error).replaceAll("\n", " ");
  return recovered + message + (place === undefined ? "" : ` (${place})`);
}
