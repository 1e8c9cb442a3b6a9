import { unknownWord } from "../../../corefile/nearest.ts";
import { compilePattern } from "../../pattern.ts";
import { ENVIRONMENT } from "./environment.ts";
import { elementOf, FUNCTIONS, numberOf, OVER_LISTS, sliceOf, UNSUPPORTED } from "./functions.ts";
import { lex, type Token } from "./lex.ts";
import { OPERATORS } from "./operators.ts";
import type { Expression } from "./scope.ts";
import { list, number, text, truth } from "./types.ts";

/** Words that may follow `not`. */
export const NEGATED: readonly string[] = ["in", "matches", "contains", "startsWith", "endsWith"];

const COMPARISON = 20;
const NOT = 50;
const SIGN = 90;
/** Expressions within expressions. */
const MAX_DEPTH = 100;

/** Compiles an expression that may use these variables. Throws `SyntaxError`. */
export function compileExpression(source: string, variables: ReadonlySet<string>): Expression {
  return new Parser(lex(source), variables).whole();
}

/** Parses by precedence, straight into closures. */
class Parser {
  readonly #tokens: readonly Token[];
  readonly #variables: ReadonlySet<string>;
  #at = 0;
  #depth = 0;
  /** Predicates around this place. */
  #predicates = 0;

  constructor(tokens: readonly Token[], variables: ReadonlySet<string>) {
    this.#tokens = tokens;
    this.#variables = variables;
  }

  whole(): Expression {
    const expression = this.#expression(0);
    if (this.#token.kind !== "end") throw this.#unexpected();
    return expression;
  }

  get #token(): Token {
    return this.#tokens[this.#at]!;
  }

  #is(text: string): boolean {
    const { kind, text: own } = this.#token;
    return own === text && (kind === "sign" || kind === "name");
  }

  #accept(text: string): boolean {
    const found = this.#is(text);
    if (found) this.#at++;
    return found;
  }

  #expect(text: string): void {
    if (!this.#accept(text)) throw this.#unexpected(` instead of ${text}`);
  }

  #unexpected(more = ""): SyntaxError {
    const { kind, text } = this.#token;
    return new SyntaxError(
      kind === "end" ? `it ends too soon${more}` : `unexpected ${JSON.stringify(text)}${more}`,
    );
  }

  /** @param precedence - lowest accepted */
  #expression(precedence: number): Expression {
    if (++this.#depth > MAX_DEPTH) {
      throw new SyntaxError(`more than ${MAX_DEPTH} expressions within each other`);
    }
    let left = this.#operand();
    for (let more = this.#operator(left, precedence); more !== null;) {
      left = more;
      more = this.#operator(left, precedence);
    }
    if (precedence === 0 && this.#accept("?")) {
      const condition = left;
      const yes = this.#expression(0);
      this.#expect(":");
      const no = this.#expression(0);
      left = (scope) => truth(condition(scope)) ? yes(scope) : no(scope);
    }
    this.#depth--;
    return left;
  }

  /** The operator after `left` with its right side; null if it does not belong here. */
  #operator(left: Expression, precedence: number): Expression | null {
    const start = this.#at;
    const negated = this.#is("not") && NEGATED.includes(this.#tokens[start + 1]?.text ?? "");
    if (negated) this.#at++;
    const found = this.#plainOperator(left, precedence);
    if (found === null) this.#at = start;
    return found === null || !negated ? found : (scope) => !truth(found(scope));
  }

  #plainOperator(left: Expression, precedence: number): Expression | null {
    const { kind, text: sign } = this.#token;
    if (kind !== "sign" && kind !== "name") return null;
    if (sign === "|" && precedence === 0) {
      this.#at++;
      return this.#call(left);
    }
    if (sign === "matches") return precedence <= COMPARISON ? this.#matches(left) : null;
    const operator = OPERATORS.get(sign);
    if (operator === undefined || operator.precedence < precedence) return null;
    this.#at++;
    const right = this.#expression(operator.precedence + (operator.rightAssociative ? 0 : 1));
    return operator.make(left, right);
  }

  /** A query must not choose a costly pattern. */
  #matches(left: Expression): Expression {
    this.#at++;
    const { kind, text: pattern } = this.#token;
    if (kind !== "text") throw this.#unexpected(" instead of a quoted regular expression");
    this.#at++;
    const { matches } = compilePattern(pattern);
    return (scope) => scope.spend(matches(text(left(scope))));
  }

  #operand(): Expression {
    if (this.#accept("not") || this.#accept("!")) {
      const operand = this.#expression(NOT);
      return (scope) => !truth(operand(scope));
    }
    const negative = this.#is("-");
    if (this.#accept("+") || this.#accept("-")) {
      const operand = this.#expression(SIGN);
      return (scope) => negative ? -number(operand(scope)) : number(operand(scope));
    }
    return this.#postfix(this.#primary());
  }

  #primary(): Expression {
    const token = this.#token;
    if (token.kind === "number") {
      this.#at++;
      const value = numberOf(token.text);
      return () => value;
    }
    if (token.kind === "text") {
      this.#at++;
      return () => token.text;
    }
    if (this.#accept("(")) {
      const inner = this.#expression(0);
      this.#expect(")");
      return inner;
    }
    if (this.#accept("[")) {
      const parts = this.#until("]");
      return (scope) => scope.spend(parts.map((part) => part(scope)));
    }
    if (this.#is("#")) {
      if (this.#predicates === 0) throw new SyntaxError("# is known in predicates alone");
      this.#at++;
      return ({ elements }) => elements.at(-1)!;
    }
    if (token.kind !== "name") throw this.#unexpected();
    if (this.#accept("true")) return () => true;
    if (this.#accept("false")) return () => false;
    if (this.#accept("nil")) return () => null;
    const next = this.#tokens[this.#at + 1]!;
    if (next.kind === "sign" && next.text === "(") return this.#call(null);
    return this.#variable(token.text);
  }

  #variable(name: string): Expression {
    if (!this.#variables.has(name)) {
      if (ENVIRONMENT.has(name) || FUNCTIONS.has(name)) {
        throw new SyntaxError(`${name} is a function (write ${name}())`);
      }
      const known = [...this.#variables, ...ENVIRONMENT.keys()];
      throw new SyntaxError(`unknown name ${unknownWord(name, known)}`);
    }
    this.#at++;
    return ({ variables }) => variables[name]!;
  }

  /** @param piped - first argument, before `|` */
  #call(piped: Expression | null): Expression {
    const { kind, text: name } = this.#token;
    if (kind !== "name") throw this.#unexpected(" instead of a function");
    this.#at++;
    this.#expect("(");
    const over = OVER_LISTS.get(name);
    if (over !== undefined) {
      const values = piped ?? this.#expression(0);
      if (piped === null) this.#expect(",");
      const predicate = this.#predicate();
      this.#expect(")");
      return (scope) =>
        scope.spend(over(list(values(scope)), (element) => {
          scope.spend(null);
          scope.elements.push(element);
          const value = predicate(scope);
          scope.elements.pop();
          return value;
        }));
    }
    const args = [...(piped === null ? [] : [piped]), ...this.#until(")")];
    const builtIn = FUNCTIONS.get(name);
    const count = ENVIRONMENT.get(name);
    const { least, most } = builtIn ?? { least: count, most: count };
    if (least === undefined || most === undefined) {
      if (UNSUPPORTED.has(name)) throw new SyntaxError(`${name} is not supported`);
      const known = [...ENVIRONMENT.keys(), ...FUNCTIONS.keys(), ...OVER_LISTS.keys()];
      throw new SyntaxError(`unknown function ${unknownWord(name, known)}`);
    }
    if (args.length < least || args.length > most) {
      const wanted = least === most ? `${least}` : `${least} to ${most}`;
      throw new SyntaxError(`${name} takes ${wanted} arguments, not ${args.length}`);
    }
    const call = builtIn?.call;
    return (scope) => {
      const values = args.map((arg) => arg(scope));
      return scope.spend(call === undefined ? scope.ask(name, values) : call(...values));
    };
  }

  #predicate(): Expression {
    this.#predicates++;
    const braced = this.#accept("{");
    const predicate = this.#expression(0);
    if (braced) this.#expect("}");
    this.#predicates--;
    return predicate;
  }

  #until(end: string): Expression[] {
    const parts: Expression[] = [];
    while (!this.#accept(end)) {
      if (parts.length > 0) this.#expect(",");
      // A comma may stand before the end.
      if (this.#accept(end)) break;
      parts.push(this.#expression(0));
    }
    return parts;
  }

  #postfix(operand: Expression): Expression {
    let whole = operand;
    while (this.#accept("[")) {
      const of = whole;
      const from = this.#is(":") ? null : this.#expression(0);
      if (from !== null && this.#accept("]")) {
        whole = (scope) => elementOf(of(scope), from(scope));
        continue;
      }
      this.#expect(":");
      const to = this.#is("]") ? null : this.#expression(0);
      this.#expect("]");
      whole = (scope) => scope.spend(sliceOf(of(scope), from?.(scope) ?? 0n, to?.(scope) ?? null));
    }
    return whole;
  }
}
