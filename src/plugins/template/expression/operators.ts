import { EvaluationError, isList, type Value } from "../go_template/values.ts";
import type { Expression } from "./scope.ts";
import { isNumber, mismatch, truth } from "./types.ts";

const MAX_RANGE = 1000n;

/** An operator between two operands. */
interface Operator {
  /** A higher one binds more tightly. */
  precedence: number;
  rightAssociative?: true;
  make: (left: Expression, right: Expression) => Expression;
}

/** By sign or word. */
export const OPERATORS: ReadonlyMap<string, Operator> = new Map<string, Operator>([
  ["or", { precedence: 10, make: or }],
  ["||", { precedence: 10, make: or }],
  ["and", { precedence: 15, make: and }],
  ["&&", { precedence: 15, make: and }],
  ["==", eager(20, equal)],
  ["!=", eager(20, (a, b) => !equal(a, b))],
  ["<", eager(20, (a, b) => compare("<", a, b) < 0)],
  [">", eager(20, (a, b) => compare(">", a, b) > 0)],
  ["<=", eager(20, (a, b) => compare("<=", a, b) <= 0)],
  [">=", eager(20, (a, b) => compare(">=", a, b) >= 0)],
  ["in", eager(20, isIn)],
  ["contains", eager(20, texts("contains", (a, b) => a.includes(b)))],
  ["startsWith", eager(20, texts("startsWith", (a, b) => a.startsWith(b)))],
  ["endsWith", eager(20, texts("endsWith", (a, b) => a.endsWith(b)))],
  ["..", eager(25, range)],
  ["+", eager(30, add)],
  ["-", eager(30, arithmetic("-", (a, b) => a - b, (a, b) => a - b))],
  ["*", eager(60, arithmetic("*", (a, b) => a * b, (a, b) => a * b))],
  ["/", eager(60, arithmetic("/", null, (a, b) => a / b))],
  ["%", eager(60, remainder)],
  ["**", { ...eager(100, power), rightAssociative: true }],
  ["^", { ...eager(100, power), rightAssociative: true }],
  ["??", { precedence: 500, make: (left, right) => (scope) => left(scope) ?? right(scope) }],
]);

function eager(precedence: number, apply: (left: Value, right: Value) => Value): Operator {
  const make = (left: Expression, right: Expression): Expression => (scope) =>
    scope.spend(apply(left(scope), right(scope)));
  return { precedence, make };
}

function or(left: Expression, right: Expression): Expression {
  return (scope) => truth(left(scope)) || truth(right(scope));
}

function and(left: Expression, right: Expression): Expression {
  return (scope) => truth(left(scope)) && truth(right(scope));
}

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
