import { EvaluationError, isList, textOf, type Value } from "../go_template/values.ts";
import { compare } from "./operators.ts";
import { list, number, text, truth } from "./types.ts";

/** Characters that `repeat` and `join` may make. */
const MAX_MADE = 10_000;

/** With a fixed number of arguments. */
interface Fixed {
  least: number;
  most: number;
  call: (...args: Value[]) => Value;
}

/** Evaluates a predicate per element. */
type OverList = (list: readonly Value[], predicate: (element: Value) => Value) => Value;

/** By name. */
export const FUNCTIONS: ReadonlyMap<string, Fixed> = new Map(Object.entries<Fixed>({
  len: of(1, (value) => BigInt((typeof value === "string" ? [...value] : list(value)).length)),
  trim: of([1, 2], (value, set) => trim(value, set)),
  trimPrefix: of([1, 2], (value, prefix = " ") => {
    const [all, cut] = [text(value), text(prefix)];
    return all.startsWith(cut) ? all.slice(cut.length) : all;
  }),
  trimSuffix: of([1, 2], (value, suffix = " ") => {
    const [all, cut] = [text(value), text(suffix)];
    return all.endsWith(cut) ? all.slice(0, all.length - cut.length) : all;
  }),
  upper: of(1, (value) => text(value).toUpperCase()),
  lower: of(1, (value) => text(value).toLowerCase()),
  split: of(
    [2, 3],
    (value, separator, limit = -1n) => split(text(value), text(separator), Number(number(limit))),
  ),
  join: of([1, 2], (values, separator = "") => join(list(values).map(text), text(separator))),
  replace: of(
    [3, 4],
    (value, from, to, limit = -1n) =>
      replace(text(value), { from: text(from), to: text(to), limit: Number(number(limit)) }),
  ),
  repeat: of(2, (value, count) => {
    const times = Number(number(count));
    if (!(times >= 0 && times * text(value).length <= MAX_MADE)) {
      throw new EvaluationError(`repeat ${textOf(count)} times`);
    }
    return text(value).repeat(times);
  }),
  indexOf: of(2, (value, part) => BigInt(text(value).indexOf(text(part)))),
  lastIndexOf: of(2, (value, part) => BigInt(text(value).lastIndexOf(text(part)))),
  hasPrefix: of(2, (value, prefix) => text(value).startsWith(text(prefix))),
  hasSuffix: of(2, (value, suffix) => text(value).endsWith(text(suffix))),
  int: of(1, integer),
  float: of(1, fraction),
  string: of(1, (value) => value === null ? "nil" : textOf(value)),
  abs: of(1, (value) => {
    const amount = number(value);
    return amount < 0 ? -amount : amount;
  }),
  ceil: of(1, (value) => Math.ceil(Number(number(value)))),
  floor: of(1, (value) => Math.floor(Number(number(value)))),
  round: of(1, (value) => Math.round(Number(number(value)))),
  max: of([1, Infinity], (...values) => extreme(values, 1)),
  min: of([1, Infinity], (...values) => extreme(values, -1)),
  first: of(1, (values) => list(values)[0] ?? null),
  last: of(1, (values) => list(values).at(-1) ?? null),
  reverse: of(1, (values) => [...list(values)].reverse()),
  concat: of([1, Infinity], (...lists) => lists.flatMap((one) => [...list(one)])),
}));

/** Over a list's elements. */
export const OVER_LISTS: ReadonlyMap<string, OverList> = new Map(Object.entries<OverList>({
  all: (values, holds) => values.every((one) => truth(holds(one))),
  any: (values, holds) => values.some((one) => truth(holds(one))),
  none: (values, holds) => !values.some((one) => truth(holds(one))),
  one: (values, holds) => values.filter((one) => truth(holds(one))).length === 1,
  filter: (values, holds) => values.filter((one) => truth(holds(one))),
  count: (values, holds) => BigInt(values.filter((one) => truth(holds(one))).length),
  find: (values, holds) => values.find((one) => truth(holds(one))) ?? null,
  findIndex: (values, holds) => BigInt(values.findIndex((one) => truth(holds(one)))),
  map: (values, change) => values.map(change),
}));

/** Variables cannot have these names. */
export const UNSUPPORTED: ReadonlySet<string> = new Set(
  ("bitand bitnand bitnot bitor bitshl bitshr bitushr bitxor date duration findLast findLastIndex " +
    "flatten fromBase64 fromJSON fromPairs get groupBy keys mean median now reduce sort sortBy " +
    "splitAfter sum take timezone toBase64 toJSON toPairs uniq values").split(" "),
);

function of(
  counts: number | readonly [least: number, most: number],
  call: (...args: [Value, Value, Value, Value]) => Value,
): Fixed {
  const [least, most] = typeof counts === "number" ? [counts, counts] : counts;
  return { least, most, call: call as Fixed["call"] };
}

function trim(value: Value, set: Value | undefined): string {
  if (set === undefined) return text(value).trim();
  const all = [...text(value)];
  const unwanted = new Set(text(set));
  let start = 0;
  let end = all.length;
  while (start < end && unwanted.has(all[start]!)) start++;
  while (end > start && unwanted.has(all[end - 1]!)) end--;
  return all.slice(start, end).join("");
}

/** As Go: the last of at most `limit` parts is the rest; negative for all. */
function split(value: string, separator: string, limit: number): Value {
  const parts = separator === "" ? [...value] : value.split(separator);
  if (limit < 0 || parts.length <= limit) return parts;
  if (limit === 0) return [];
  return [...parts.slice(0, limit - 1), parts.slice(limit - 1).join(separator)];
}

function join(texts: readonly string[], separator: string): string {
  const length = texts.reduce((sum, one) => sum + one.length + separator.length, 0);
  if (length > MAX_MADE) throw new EvaluationError(`join makes ${length} characters`);
  return texts.join(separator);
}

function replace(
  value: string,
  { from, to, limit }: { from: string; to: string; limit: number },
): string {
  // As Go: an empty text is found around every character.
  const parts = from === "" ? ["", ...value, ""] : value.split(from);
  const times = limit < 0 ? parts.length : limit;
  return parts.reduce((whole, part, i) => whole + (i <= times ? to : from) + part);
}

function integer(value: Value): bigint {
  if (typeof value === "string") {
    if (!/^[+-]?[0-9]{1,19}$/.test(value)) throw new EvaluationError(`int of ${shown(value)}`);
    return BigInt.asIntN(64, BigInt(value.replace("+", "")));
  }
  const amount = number(value);
  if (typeof amount === "bigint") return amount;
  if (!Number.isFinite(amount)) throw new EvaluationError(`int of ${shown(value)}`);
  return BigInt.asIntN(64, BigInt(Math.trunc(amount)));
}

function fraction(value: Value): number {
  if (typeof value !== "string") return Number(number(value));
  const amount = value.trim() === "" ? NaN : Number(value);
  if (Number.isNaN(amount)) throw new EvaluationError(`float of ${shown(value)}`);
  return amount;
}

function extreme(values: readonly Value[], sign: 1 | -1): Value {
  const all = values.flatMap((value) => isList(value) ? [...value] : [value]).map(number);
  if (all.length === 0) return null;
  return all.reduce((best, one) => sign * compare("<", one, best) > 0 ? one : best);
}

function shown(value: Value): string {
  return JSON.stringify(textOf(value));
}

/** Of a word. */
export function numberOf(word: string): Value {
  const digits = word.replaceAll("_", "");
  if (/[.eE]/.test(digits) && !/^0[xX]/.test(digits)) return Number(digits);
  return BigInt.asIntN(64, BigInt(digits));
}

/** Negative indexes count from the end. */
export function elementOf(value: Value, index: Value): Value {
  if (typeof index !== "bigint") throw new EvaluationError("an index is not an integer");
  const all = typeof value === "string" ? [...value] : list(value);
  const found = all.at(Number(index));
  if (found === undefined) throw new EvaluationError(`element ${index} of ${all.length}`);
  return found;
}

/** Of a list or text. */
export function sliceOf(value: Value, from: Value, to: Value): Value {
  if (typeof from !== "bigint" || (to !== null && typeof to !== "bigint")) {
    throw new EvaluationError("an index is not an integer");
  }
  const end = to === null ? undefined : Number(to);
  if (isList(value)) return value.slice(Number(from), end);
  return [...text(value)].slice(Number(from), end).join("");
}
