/** A value of a template; integers are bigints for 64 bits. */
export type Value =
  | string
  | bigint
  | number
  | boolean
  | null
  | readonly Value[]
  | ((...args: Value[]) => Value)
  | { readonly [key: string]: Value };

/** Largest number that `range` counts to. */
const MAX_RANGE = 10_000n;

/** A template that cannot be evaluated with the given data. */
export class EvaluationError extends Error {
  override readonly name = "EvaluationError";
}

/** As Go: neither zero nor empty. */
export function isTrue(value: Value): boolean {
  if (value === null || typeof value === "function") return value !== null;
  if (Array.isArray(value)) return value.length > 0;
  return typeof value === "object" ? Object.keys(value).length > 0 : Boolean(value);
}

/** Sorted by key, as in Go. */
function entriesOf(map: { readonly [key: string]: Value }): [string, Value][] {
  return Object.entries(map).sort(([a], [b]) => (a < b ? -1 : 1));
}

/** A value as Go prints it. */
export function textOf(value: Value): string {
  if (value === null) return "<no value>";
  if (typeof value === "function") throw new EvaluationError("a function cannot be printed");
  if (typeof value !== "object") return String(value);
  if (isList(value)) return `[${value.map(textOf).join(" ")}]`;
  return `map[${entriesOf(value).map(([key, one]) => `${key}:${textOf(one)}`).join(" ")}]`;
}

/** `Array.isArray` for read-only arrays. */
export function isList(value: Value): value is readonly Value[] {
  return Array.isArray(value);
}

/** The field of an object, or null. */
export function fieldOf(value: Value, name: string): Value {
  if (typeof value !== "object" || value === null || isList(value)) {
    throw new EvaluationError(`.${name} of ${textOf(value)}`);
  }
  return Object.hasOwn(value, name) ? value[name]! : null;
}

/** Pairs of index and element for `range`. */
export function elementsOf(value: Value): [Value, Value][] {
  if (value === null) return [];
  if (typeof value === "object") {
    return isList(value) ? value.map((one, i) => [BigInt(i), one]) : entriesOf(value);
  }
  if (typeof value !== "bigint" || value > MAX_RANGE) {
    throw new EvaluationError(`range over ${textOf(value)}`);
  }
  return Array.from({ length: Math.max(0, Number(value)) }, (_, i) => [BigInt(i), BigInt(i)]);
}
