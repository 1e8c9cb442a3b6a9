import { Address } from "../../../dns/address.ts";
import type { Exchange } from "../../../engine/exchange/exchange.ts";
import type { EngineServices } from "../../../engine/handler.ts";
import { EvaluationError, type Value } from "../go_template/values.ts";
import type { Template } from "../options.ts";
import { environmentOf, type Subject } from "./environment.ts";
import { compileExpression } from "./parse.ts";
import { Scope } from "./scope.ts";

/** Variables; null if a condition does not hold. */
export type Evaluated = { readonly [name: string]: Value } | "failed" | null;

const NO_VARIABLES: Evaluated = {};

/** Evaluates a template's expressions for queries. */
export function createEvaluator(
  { variables, conditions }: Template,
  engine: EngineServices,
): (match: Omit<Subject, "client" | "local">) => Evaluated {
  if (variables.length + conditions.length === 0) return () => NO_VARIABLES;
  const known = new Set<string>();
  const values = variables.map(({ name, expression }) => {
    const evaluate = compileExpression(expression, known);
    known.add(name);
    return { name, evaluate, text: expression };
  });
  const tests = conditions.map((text) => ({ evaluate: compileExpression(text, known), text }));
  return (match) => {
    const { exchange } = match;
    const scope = new Scope(environmentOf({ ...match, ...addressesOf(exchange, engine) }));
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
      exchange.error = `template: ${error.message} (${current})`;
      return "failed";
    }
    return scope.variables;
  };
}

function addressesOf(
  exchange: Exchange,
  engine: EngineServices,
): Pick<Subject, "client" | "local"> {
  if (exchange.internal) return { client: null, local: null };
  const [client, local] = [new Address(), new Address()];
  engine.clientAddress(exchange, client);
  engine.localAddress(exchange, local);
  return { client, local };
}
