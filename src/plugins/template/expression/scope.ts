import { EvaluationError, isList, type Value } from "../go_template/values.ts";

/** Per evaluation; predicates over lists would multiply. */
const MAX_STEPS = 10_000;
/** Characters or elements; a name has 255 octets. */
const MAX_LENGTH = 10_000;
/** Characters that cost one step. */
const LENGTH_OF_STEP = 64;

/** Calls a function about a query. */
type Ask = (name: string, args: readonly Value[]) => Value;

/** One evaluation of a template's expressions. */
export class Scope {
  readonly ask: Ask;
  readonly variables: Record<string, Value> = Object.create(null);
  /** Values of `#`, innermost last. */
  readonly elements: Value[] = [];
  #steps = 0;

  constructor(ask: Ask) {
    this.ask = ask;
  }

  spend(value: Value): Value {
    const length = typeof value === "string" || isList(value) ? value.length : 0;
    if (length > MAX_LENGTH) {
      throw new EvaluationError(`a text or list is longer than ${MAX_LENGTH}`);
    }
    this.#steps += 1 + Math.floor(length / LENGTH_OF_STEP);
    if (this.#steps > MAX_STEPS) throw new EvaluationError("it takes too long");
    return value;
  }
}

/** Computes a value. */
export type Expression = (scope: Scope) => Value;
