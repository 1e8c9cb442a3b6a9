import type { Subject } from "../data.ts";
import { EvaluationError, type Value } from "../go_template/values.ts";
import type { Template } from "../options.ts";
import { ask } from "./environment.ts";
import { compileExpression } from "./parse.ts";
import { type Expression, Scope } from "./scope.ts";

/** Variables; null if a condition does not hold. */
export type Evaluated = { readonly [name: string]: Value } | "failed" | null;

const NO_VARIABLES: Evaluated = {};

/** Evaluates a template's expressions for queries. */
export function createEvaluator(
  { variables, conditions }: Template,
): (subject: Subject) => Evaluated {
  if (variables.length + conditions.length === 0) return () => NO_VARIABLES;
  const { values, known } = compileVariables(variables);
  const tests = conditions.map((text) => ({ evaluate: compileExpression(text, known), text }));
  return (subject) => {
    const scope = new Scope((name, args) => ask(subject, name, args));
    let current = "";
    try {
      for (const { name, evaluate, text } of values) {
        current = text;
        scope.variables[name] = evaluate(scope);
      }
      for (const { evaluate, text } of tests) {
        current = text;
        if (evaluate(scope) !== true) return null;
      }
    } catch (error) {
      if (!(error instanceof EvaluationError)) throw error;
      subject.exchange.error = `template: ${error.message} (${current})`;
      return "failed";
    }
    return scope.variables;
  };
}

/** Compiles variables, each of which may use those before it. Throws `SyntaxError`. */
export function compileVariables(variables: Template["variables"]): {
  values: { name: string; evaluate: Expression; text: string }[];
  known: ReadonlySet<string>;
} {
  const known = new Set<string>();
  const values = variables.map(({ name, expression: text }) => {
    const evaluate = compileExpression(text, known);
    known.add(name);
    return { name, evaluate, text };
  });
  return { values, known };
}
