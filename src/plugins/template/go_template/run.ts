import { entriesOf, EvaluationError, isList, textOf, type Value } from "./values.ts";

/** Statements and operands of one evaluation; nested ranges would otherwise multiply. */
const MAX_STEPS = 10_000;
/** UTF-16 code units; a record fits into a message. */
const MAX_LENGTH = 65_535;

/** One evaluation of a template. */
export interface Run {
  dot: Value;
  readonly variables: Value[];
  text: string;
  steps: number;
}

/** Computes a value. */
export type Expression = (run: Run) => Value;

/** How a list of statements ended. */
export type Ending = "end" | "break" | "continue";

/** Executes a part of a template. */
export type Statement = (run: Run) => Ending;

/** Executes `body` with `dot` as `.`. */
export function within(run: Run, dot: Value, body: Statement): Ending {
  const before = run.dot;
  run.dot = dot;
  const ending = body(run);
  run.dot = before;
  return ending;
}

/** Counts a statement or operand. */
export function step(run: Run): void {
  if (++run.steps > MAX_STEPS) throw new EvaluationError("it takes too long");
}

/** Adds to the text of the template. */
export function print(run: Run, text: string): "end" {
  run.text += text;
  checkLength(run.text);
  return "end";
}

/** Throws if a text is too long. */
export function checkLength(text: string): void {
  if (text.length <= MAX_LENGTH) return;
  throw new EvaluationError(`its text is longer than ${MAX_LENGTH} characters`);
}

/** The field of an object, or null. */
export function fieldOf(value: Value, name: string): Value {
  if (typeof value !== "object" || value === null || isList(value)) {
    throw new EvaluationError(`.${name} of ${textOf(value)}`);
  }
  return Object.hasOwn(value, name) ? value[name]! : null;
}

/** What `range` iterates over: pairs of index and element. */
export function elementsOf(value: Value): [Value, Value][] {
  if (value === null) return [];
  if (typeof value === "object") {
    return isList(value) ? value.map((one, i) => [BigInt(i), one]) : entriesOf(value);
  }
  if (typeof value !== "bigint" || value > BigInt(MAX_STEPS)) {
    throw new EvaluationError(`range over ${textOf(value)}`);
  }
  return Array.from({ length: Math.max(0, Number(value)) }, (_, i) => [BigInt(i), BigInt(i)]);
}
