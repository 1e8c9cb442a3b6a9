import { EvaluationError, type Value } from "./values.ts";

/** Per evaluation; nested ranges would multiply. */
const MAX_STEPS = 10_000;
/** UTF-16 code units; a record fits into a message. */
const MAX_LENGTH = 65_535;

/** Computes a value. */
export type Expression = (run: Run) => Value;

/** Executes a part; returns how it ended. */
export type Statement = (run: Run) => "end" | "break" | "continue";

/** One evaluation of a template. */
export class Run {
  readonly variables: Value[];
  dot: Value;
  text = "";
  #steps = 0;

  constructor(data: Value) {
    this.dot = data;
    this.variables = [data];
  }

  step(): void {
    if (++this.#steps > MAX_STEPS) throw new EvaluationError("it takes too long");
  }

  print(text: string): "end" {
    this.text += text;
    checkLength(this.text);
    return "end";
  }

  within(dot: Value, body: Statement): ReturnType<Statement> {
    const before = this.dot;
    this.dot = dot;
    const ending = body(this);
    this.dot = before;
    return ending;
  }
}

/** Throws for longer text. */
export function checkLength(text: string): void {
  if (text.length <= MAX_LENGTH) return;
  throw new EvaluationError(`its text is longer than ${MAX_LENGTH} characters`);
}
