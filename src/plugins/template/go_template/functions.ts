import { format } from "./printf.ts";
import { EvaluationError, isList, isTrue, textOf, type Value } from "./values.ts";

/** Functions of templates, by name. */
export const FUNCTIONS: Readonly<Record<string, (...args: Value[]) => Value>> = {
  // The compiler evaluates their arguments, as few as needed; here they have none.
  and: () => one("and", []),
  or: () => one("or", []),
  not: (...args) => !isTrue(one("not", args)),
  len: (...args) => BigInt(lengthOf(one("len", args))),
  index: (value = null, ...keys) => keys.reduce(element, value),
  slice: (value = null, from = 0n, to = BigInt(lengthOf(value))) => {
    const [start, end, length] = [integer("slice", from), integer("slice", to), lengthOf(value)];
    if (typeof value !== "string" && !isList(value)) {
      throw new EvaluationError("slice needs text or a list");
    }
    if (start < 0n || start > end || end > BigInt(length)) {
      throw new EvaluationError(`slice ${start} to ${end} of ${length} elements`);
    }
    return value.slice(Number(start), Number(end));
  },
  print: (...args) =>
    // As Go: a space between two operands that are not text.
    args.map((value, i) => {
      const apart = i > 0 && typeof value !== "string" && typeof args[i - 1] !== "string";
      return (apart ? " " : "") + textOf(value);
    }).join(""),
  println: (...args) => `${args.map(textOf).join(" ")}\n`,
  printf: (pattern = null, ...args) => format(text("printf", pattern), args),
  eq: (value = null, ...others) => {
    if (others.length === 0) throw new EvaluationError("eq needs two values");
    return others.some((other) => compare("eq", [value, other]) === 0);
  },
  ne: (...args) => compare("ne", args) !== 0,
  lt: (...args) => compare("lt", args) < 0,
  le: (...args) => compare("le", args) <= 0,
  gt: (...args) => compare("gt", args) > 0,
  ge: (...args) => compare("ge", args) >= 0,
  parseInt: (digits = null, base = 10n, bits = 64n) =>
    parseUint(
      text("parseInt", digits),
      Number(integer("parseInt", base)),
      integer("parseInt", bits),
    ),
};

function one(name: string, args: Value[]): Value {
  if (args.length !== 1) throw new EvaluationError(`${name} needs one value`);
  return args[0]!;
}

function text(name: string, value: Value): string {
  if (typeof value !== "string") throw new EvaluationError(`${name} needs text`);
  return value;
}

function integer(name: string, value: Value): bigint {
  if (typeof value !== "bigint") throw new EvaluationError(`${name} needs an integer`);
  return value;
}

function lengthOf(value: Value): number {
  if (typeof value === "string" || isList(value)) return value.length;
  if (typeof value === "object" && value !== null) return Object.keys(value).length;
  throw new EvaluationError("len needs text, a list or a map");
}

function element(value: Value, key: Value): Value {
  if (typeof value === "string" || isList(value)) {
    const at = integer("index", key);
    if (at < 0n || at >= BigInt(value.length)) {
      throw new EvaluationError(`index ${at} of ${value.length} elements`);
    }
    const i = Number(at);
    return typeof value === "string" ? BigInt(value.charCodeAt(i)) : value[i]!;
  }
  if (typeof value !== "object" || value === null) {
    throw new EvaluationError("index needs text, a list or a map");
  }
  const name = text("index of a map", key);
  // Maps contain text, whose zero value is empty.
  return Object.hasOwn(value, name) ? value[name]! : "";
}

/** Negative, zero or positive. Throws for different types. */
function compare(name: string, args: Value[]): number {
  if (args.length !== 2) throw new EvaluationError(`${name} needs two values`);
  const [a, b] = args as [Value, Value];
  const ordered = name !== "eq" && name !== "ne";
  const comparable = typeof a === typeof b && typeof a !== "object" && typeof a !== "function" &&
    !(ordered && typeof a === "boolean");
  if (comparable) return a! < b! ? -1 : a! > b! ? 1 : 0;
  if (!ordered && (a === null || b === null)) return a === b ? 0 : 1;
  throw new EvaluationError(`${name} cannot compare ${textOf(a)} and ${textOf(b)}`);
}

/** As Go's strconv.ParseUint. */
function parseUint(text: string, base: number, bits: bigint): bigint {
  let digits = text.toLowerCase();
  if (base === 0) {
    const prefix = /^0(x|b|o|)(?=.)/.exec(digits);
    base = prefix === null ? 10 : { x: 16, b: 2, o: 8, "": 8 }[prefix[1]!]!;
    digits = digits.slice(prefix?.[0].length ?? 0).replace(/_/g, "");
  }
  const values = [...digits].map((digit) => /[0-9a-z]/.test(digit) ? parseInt(digit, 36) : NaN);
  const valid = base >= 2 && base <= 36 && bits >= 0n && bits <= 64n && values.length > 0 &&
    values.length <= 256 && values.every((digit) => digit < base);
  const value = valid
    ? values.reduce((sum, digit) => sum * BigInt(base) + BigInt(digit), 0n)
    : 1n << 64n;
  if (value < 1n << (bits || 64n)) return value;
  throw new EvaluationError(`parseInt of ${JSON.stringify(text)} in base ${base}`);
}
