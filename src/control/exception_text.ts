/** An exception on one line, with its first stack frame or whole stack. */
export function exceptionText(thrown: unknown, wholeStack = false): string {
  if (!(thrown instanceof Error)) return String(thrown);
  if (wholeStack) return thrown.stack ?? String(thrown);
  const frame = /^\s+(at .*)$/m.exec(thrown.stack ?? "")?.[1];
  const text = String(thrown).replaceAll("\n", " ");
  return frame === undefined ? text : `${text} (${frame})`;
}

/** Exception of an `error` or `unhandledrejection` event. */
export function thrownBy(event: Event): unknown {
  const { error, reason } = event as Partial<ErrorEvent & PromiseRejectionEvent>;
  return error ?? reason;
}
