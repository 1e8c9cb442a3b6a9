import { EvaluationError, type Value } from "../go_template/values.ts";
import type { Template } from "../options.ts";
import { ENVIRONMENT } from "./environment.ts";
import { FUNCTIONS, OVER_LISTS, UNSUPPORTED } from "./functions.ts";
import { compileVariables } from "./evaluate.ts";
import { compileExpression, NEGATED } from "./parse.ts";
import { Scope } from "./scope.ts";
import { TypeFault } from "./types.ts";

/** Not allowed as variables. */
const WORDS = [...NEGATED, "true", "false", "nil", "not", "and", "or", "let", "if", "else"];
/** Results that are not text. */
const SAMPLES: Readonly<Record<string, Value>> = {
  ...{ bufsize: 0n, id: 0n, opcode: 0n, size: 0n },
  ...{ do: false, incidr: false },
};

/** Why a variable cannot have a name; null if it can. */
export function nameFault(name: string, { variables }: Template): string | null {
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) return "letters, digits and _ make a name";
  if (variables.some((known) => known.name === name)) return "it is set twice";
  if (WORDS.includes(name)) return "it is a word of the language";
  const functions = [ENVIRONMENT, FUNCTIONS, OVER_LISTS, UNSUPPORTED];
  return functions.some((names) => names.has(name)) ? "it is a function" : null;
}

/** Throws `SyntaxError` for wrong types, found with a made-up query; ignores other failures. */
export function checkTypes(expression: string, { variables }: Template): void {
  const { values, known } = compileVariables(variables);
  const compiled = compileExpression(expression, known);
  const scope = new Scope((name) => SAMPLES[name] ?? "");
  try {
    for (const { name, evaluate } of values) scope.variables[name] = evaluate(scope);
    compiled(scope);
  } catch (error) {
    if (error instanceof TypeFault) throw new SyntaxError(error.message);
    if (!(error instanceof EvaluationError)) throw error;
  }
}
