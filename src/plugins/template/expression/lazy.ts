import { truth } from "./functions.ts";
import type { Expression } from "./scope.ts";

interface LazyOperator {
  precedence: number;
  make: (left: Expression, right: Expression) => Expression;
}

/** Operators whose right side is evaluated only if it matters. */
export const LAZY: ReadonlyMap<string, LazyOperator> = new Map<string, LazyOperator>([
  ["or", { precedence: 10, make: or }],
  ["||", { precedence: 10, make: or }],
  ["and", { precedence: 15, make: and }],
  ["&&", { precedence: 15, make: and }],
  ["??", { precedence: 500, make: otherwise }],
]);

function or(left: Expression, right: Expression): Expression {
  return (scope) => truth(left(scope)) || truth(right(scope));
}

function and(left: Expression, right: Expression): Expression {
  return (scope) => truth(left(scope)) && truth(right(scope));
}

function otherwise(left: Expression, right: Expression): Expression {
  return (scope) => left(scope) ?? right(scope);
}
