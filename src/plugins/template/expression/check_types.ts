import { EvaluationError, type Value } from "../go_template/values.ts";
import type { Template } from "../options.ts";
import { ENVIRONMENT } from "./environment.ts";
import { namesOf } from "./names.ts";
import { compileExpression } from "./parse.ts";
import { type Environment, ExpressionError, Scope, TypeFault } from "./scope.ts";

/** Results that are not text. */
const SAMPLES: Readonly<Record<string, Value>> = {
  ...{ bufsize: 0n, id: 0n, opcode: 0n, size: 0n },
  ...{ do: false, incidr: false },
};
const SAMPLE: Environment = Object.fromEntries(
  [...ENVIRONMENT.keys()].map((name) => [name, () => SAMPLES[name] ?? ""]),
);

/** Throws `ExpressionError` for wrong types, found with a made-up query; ignores other failures. */
export function checkTypes(expression: string, { variables }: Template): void {
  const compiled = compileExpression(expression, namesOf(variables));
  const scope = new Scope(SAMPLE);
  try {
    for (const [i, { name, expression }] of variables.entries()) {
      const before = namesOf(variables.slice(0, i));
      scope.variables[name] = compileExpression(expression, before)(scope);
    }
    compiled(scope);
  } catch (error) {
    if (error instanceof TypeFault) throw new ExpressionError(error.message);
    if (!(error instanceof EvaluationError)) throw error;
  }
}
