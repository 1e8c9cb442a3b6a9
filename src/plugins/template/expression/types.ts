import { EvaluationError, isList, type Value } from "../go_template/values.ts";

/** A wrong type, whatever the query. */
export class TypeFault extends EvaluationError {}

/** Other values are faults. */
export function truth(value: Value): boolean {
  if (typeof value !== "boolean") throw fault(value, "true or false");
  return value;
}

/** Other values are faults. */
export function list(value: Value): readonly Value[] {
  if (!isList(value)) throw fault(value, "a list");
  return value;
}

/** Other values are faults. */
export function text(value: Value): string {
  if (typeof value !== "string") throw fault(value, "text");
  return value;
}

/** Other values are faults. */
export function number(value: Value): bigint | number {
  if (!isNumber(value)) throw fault(value, "a number");
  return value;
}

/** Whether a value is a number. */
export function isNumber(value: Value): value is bigint | number {
  return typeof value === "bigint" || typeof value === "number";
}

/** Operands of wrong types. */
export function mismatch(sign: string, a: Value, b: Value): EvaluationError {
  return typeFault(`${sign} does not take ${kindOf(a)} and ${kindOf(b)}`, a, b);
}

function fault(value: Value, wanted: string): EvaluationError {
  return typeFault(`${kindOf(value)} is not ${wanted}`, value);
}

/** Whether it is nil depends on the query. */
function typeFault(what: string, ...values: Value[]): EvaluationError {
  return values.includes(null) ? new EvaluationError(what) : new TypeFault(what);
}

function kindOf(value: Value): string {
  if (value === null) return "nil";
  if (isList(value)) return "a list";
  if (typeof value === "string") return "text";
  return typeof value === "boolean" ? "a truth value" : "a number";
}
