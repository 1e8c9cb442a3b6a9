import { EvaluationError, isList, type Value } from "../go_template/values.ts";
import { kindOf, TypeFault } from "./scope.ts";

const MAX_RANGE = 1000n;

/** An operator between two operands that are always evaluated. */
interface Operator {
  /** A higher one binds more tightly. */
  precedence: number;
  rightAssociative?: true;
  apply: (left: Value, right: Value) => Value;
}

/** By sign or word. */
export const OPERATORS: ReadonlyMap<string, Operator> = new Map<string, Operator>([
  ["==", { precedence: 20, apply: equal }],
  ["!=", { precedence: 20, apply: (a, b) => !equal(a, b) }],
  ["<", { precedence: 20, apply: (a, b) => compare("<", a, b) < 0 }],
  [">", { precedence: 20, apply: (a, b) => compare(">", a, b) > 0 }],
  ["<=", { precedence: 20, apply: (a, b) => compare("<=", a, b) <= 0 }],
  [">=", { precedence: 20, apply: (a, b) => compare(">=", a, b) >= 0 }],
  ["in", { precedence: 20, apply: isIn }],
  ["contains", { precedence: 20, apply: texts("contains", (a, b) => a.includes(b)) }],
  ["startsWith", { precedence: 20, apply: texts("startsWith", (a, b) => a.startsWith(b)) }],
  ["endsWith", { precedence: 20, apply: texts("endsWith", (a, b) => a.endsWith(b)) }],
  ["..", { precedence: 25, apply: range }],
  ["+", { precedence: 30, apply: add }],
  ["-", { precedence: 30, apply: arithmetic("-", (a, b) => a - b, (a, b) => a - b) }],
  ["*", { precedence: 60, apply: arithmetic("*", (a, b) => a * b, (a, b) => a * b) }],
  ["/", { precedence: 60, apply: arithmetic("/", null, (a, b) => a / b) }],
  ["%", { precedence: 60, apply: remainder }],
  ["**", { precedence: 100, rightAssociative: true, apply: power }],
  ["^", { precedence: 100, rightAssociative: true, apply: power }],
]);

function equal(a: Value, b: Value): boolean {
  if (isNumber(a) && isNumber(b)) return typeof a === typeof b ? a === b : Number(a) === Number(b);
  if (isList(a) && isList(b)) {
    return a.length === b.length && a.every((one, i) => equal(one, b[i]!));
  }
  return a === b;
}

/** Negative, zero or positive. */
export function compare(sign: string, a: Value, b: Value): number {
  const comparable = isNumber(a) && isNumber(b) || typeof a === "string" && typeof b === "string";
  if (!comparable) throw mismatch(sign, a, b);
  return a < b ? -1 : a > b ? 1 : 0;
}

function isIn(element: Value, list: Value): boolean {
  if (list === null) return false;
  if (!isList(list)) throw mismatch("in", element, list);
  return list.some((one) => equal(one, element));
}

function texts(sign: string, apply: (a: string, b: string) => boolean) {
  return (a: Value, b: Value): boolean => {
    if (typeof a !== "string" || typeof b !== "string") throw mismatch(sign, a, b);
    return apply(a, b);
  };
}

function range(from: Value, to: Value): Value {
  if (typeof from !== "bigint" || typeof to !== "bigint") throw mismatch("..", from, to);
  const length = to - from + 1n;
  if (length > MAX_RANGE) throw new EvaluationError(`a range of more than ${MAX_RANGE} numbers`);
  return Array.from({ length: Math.max(0, Number(length)) }, (_, i) => from + BigInt(i));
}

function add(a: Value, b: Value): Value {
  if (typeof a === "string" && typeof b === "string") return a + b;
  return arithmetic("+", (a, b) => a + b, (a, b) => a + b)(a, b);
}

/** @param integers - null if integers are divided as fractions */
function arithmetic(
  sign: string,
  integers: ((a: bigint, b: bigint) => bigint) | null,
  fractions: (a: number, b: number) => number,
) {
  return (a: Value, b: Value): Value => {
    if (!isNumber(a) || !isNumber(b)) throw mismatch(sign, a, b);
    if (integers !== null && typeof a === "bigint" && typeof b === "bigint") {
      // As Go's int.
      return BigInt.asIntN(64, integers(a, b));
    }
    return fractions(Number(a), Number(b));
  };
}

function remainder(a: Value, b: Value): Value {
  if (typeof a !== "bigint" || typeof b !== "bigint") throw mismatch("%", a, b);
  if (b === 0n) throw new EvaluationError("division by zero");
  return a % b;
}

function power(a: Value, b: Value): Value {
  if (!isNumber(a) || !isNumber(b)) throw mismatch("**", a, b);
  return Number(a) ** Number(b);
}

function isNumber(value: Value): value is bigint | number {
  return typeof value === "bigint" || typeof value === "number";
}

function mismatch(sign: string, a: Value, b: Value): EvaluationError {
  const what = `${sign} does not take ${kindOf(a)} and ${kindOf(b)}`;
  // Whether a value is nil depends on the query.
  return a === null || b === null ? new EvaluationError(what) : new TypeFault(what);
}
