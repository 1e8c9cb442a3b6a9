/** A value that a template works with; integers are bigints, so that 64 bits are kept. */
export type Value =
  | string
  | bigint
  | number
  | boolean
  | null
  | readonly Value[]
  | ((...args: Value[]) => Value)
  | { readonly [key: string]: Value };

/** A template that cannot be evaluated with the data at hand. */
export class EvaluationError extends Error {
  override readonly name = "EvaluationError";
}

/** Whether a value counts as true: it is neither zero nor empty. */
export function isTrue(value: Value): boolean {
  if (value === null || typeof value === "function") return value !== null;
  if (Array.isArray(value)) return value.length > 0;
  if (typeof value === "object") return Object.keys(value).length > 0;
  return Boolean(value);
}

/** A value as Go prints it. */
export function textOf(value: Value): string {
  if (value === null) return "<no value>";
  if (Array.isArray(value)) return `[${value.map(textOf).join(" ")}]`;
  if (typeof value === "object") {
    const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
    return `map[${entries.map(([key, one]) => `${key}:${textOf(one as Value)}`).join(" ")}]`;
  }
  if (typeof value === "function") throw new EvaluationError("a function cannot be printed");
  return String(value);
}
