import { EvaluationError, isList, type Value } from "../go_template/values.ts";
import { list, text } from "./types.ts";

/** The value of a number in an expression. */
export function numberOf(word: string): Value {
  const digits = word.replaceAll("_", "");
  if (/[.eE]/.test(digits) && !/^0[xX]/.test(digits)) return Number(digits);
  return BigInt.asIntN(64, BigInt(digits));
}

/** Element or character; negative indexes count from the end. */
export function elementOf(value: Value, index: Value): Value {
  if (typeof index !== "bigint") throw new EvaluationError("an index is not an integer");
  const all = typeof value === "string" ? [...value] : list(value);
  const found = all.at(Number(index));
  if (found === undefined) throw new EvaluationError(`element ${index} of ${all.length}`);
  return found;
}

/** Part of a list or text. */
export function sliceOf(value: Value, from: Value, to: Value): Value {
  if (typeof from !== "bigint" || (to !== null && typeof to !== "bigint")) {
    throw new EvaluationError("an index is not an integer");
  }
  const end = to === null ? undefined : Number(to);
  if (isList(value)) return value.slice(Number(from), end);
  return [...text(value)].slice(Number(from), end).join("");
}
