import { FUNCTIONS } from "./functions.ts";
import { lex, type Piece, type Token } from "./lex.ts";
import { checkLength, type Expression, Run, type Statement } from "./run.ts";
import { elementsOf, EvaluationError, fieldOf, isTrue, textOf, type Value } from "./values.ts";

/** Template of Go's text/template, compiled into closures. */
export interface Program {
  readonly constant: boolean;
  /** Throws `EvaluationError`. */
  evaluate(data: Value): string;
}

const KEYWORDS = new Set(["if", "else", "end", "range", "with", "break", "continue"]);
/** They need more than one template, or HTML. */
const REFUSED = new Set(["define", "template", "block", "call", "html", "js", "urlquery"]);
const MAX_DEPTH = 32;

interface Operand {
  readonly kind: "dot" | "nil" | "function" | "other";
  /** Called function; empty for another value. */
  readonly calls: string;
  /** @param called - returns a method at the end instead of calling it */
  value(run: Run, called?: boolean): Value;
}

/** Compiles for data with these fields. Throws `SyntaxError`. */
export function compile(template: string, fields: ReadonlySet<string>): Program {
  const pieces = lex(template);
  const body = new Compiler(pieces, fields).compile();
  return {
    constant: pieces.every((piece) => typeof piece === "string"),
    evaluate(data) {
      const run = new Run(data);
      body(run);
      return run.text;
    },
  };
}

class Compiler {
  readonly #pieces: readonly Piece[];
  readonly #fields: ReadonlySet<string>;
  #piece = 0;
  #tokens: readonly Token[] = [];
  #at = 0;
  /** Variables in scope, by their indices in `Run.variables`. */
  #variables = ["$"];
  #dotIsData = true;
  #depth = 0;
  #loops = 0;

  constructor(pieces: readonly Piece[], fields: ReadonlySet<string>) {
    this.#pieces = pieces;
    this.#fields = fields;
  }

  compile(): Statement {
    const { body, closedBy } = this.#body();
    if (closedBy !== "") throw new SyntaxError(`unexpected {{${closedBy}}}`);
    return body;
  }

  /** Compiles up to `else`, `end` or the template's end. */
  #body(): { body: Statement; closedBy: "else" | "end" | "" } {
    const statements: Statement[] = [];
    let closedBy: "else" | "end" | "" = "";
    while (closedBy === "" && this.#piece < this.#pieces.length) {
      const piece = this.#pieces[this.#piece++]!;
      if (typeof piece === "string") {
        statements.push((run) => run.print(piece));
        continue;
      }
      this.#tokens = piece;
      this.#at = 0;
      const word = this.#takeKeyword();
      if (word === "else" || word === "end") closedBy = word;
      else statements.push(this.#action(word));
    }
    const body: Statement = (run) => {
      for (const statement of statements) {
        run.step();
        const ending = statement(run);
        if (ending !== "end") return ending;
      }
      return "end";
    };
    return { body, closedBy };
  }

  #action(word: string | null): Statement {
    if (word === "if" || word === "with" || word === "range") return this.#branch(word);
    if (word === "break" || word === "continue") {
      if (this.#loops === 0) throw new SyntaxError(`{{${word}}} outside of {{range}}`);
      this.#finish();
      return () => word;
    }
    const { value, assigns } = this.#pipe();
    this.#finish();
    return (run) => {
      const result = value(run);
      return assigns ? "end" : run.print(textOf(result));
    };
  }

  #branch(kind: "if" | "with" | "range"): Statement {
    this.#descend("actions");
    const { length } = this.#variables;
    const dotIsData = this.#dotIsData;
    const names = kind === "range" ? this.#rangeVariables() : [];
    const { value } = this.#pipe();
    this.#finish();
    const first = this.#variables.push(...names) - names.length;
    if (kind !== "if") this.#dotIsData = false;
    if (kind === "range") this.#loops++;
    const { body, closedBy } = this.#body();
    if (kind === "range") this.#loops--;
    this.#dotIsData = dotIsData;
    const otherwise = this.#otherwise(kind, closedBy);
    this.#variables.length = length;
    this.#depth--;
    if (kind !== "range") {
      return (run) => {
        const result = value(run);
        if (!isTrue(result)) return otherwise(run);
        return kind === "if" ? body(run) : run.within(result, body);
      };
    }
    return (run) => {
      const elements = elementsOf(value(run));
      if (elements.length === 0) return otherwise(run);
      for (const [index, element] of elements) {
        const values = names.length === 1 ? [element] : [index, element];
        names.forEach((_, i) => run.variables[first + i] = values[i]!);
        if (run.within(element, body) === "break") break;
      }
      return "end";
    };
  }

  #otherwise(kind: "if" | "with" | "range", closedBy: string): Statement {
    if (closedBy === "") throw new SyntaxError(`{{${kind}}} has no {{end}}`);
    const chained = closedBy === "else" ? this.#takeKeyword() : null;
    if (chained !== null) {
      if (chained === kind && kind !== "range") return this.#branch(kind);
      throw new SyntaxError(`unexpected {{else ${chained}}} after {{${kind}}}`);
    }
    this.#finish();
    if (closedBy === "end") return () => "end";
    const { body, closedBy: end } = this.#body();
    if (end !== "end") throw new SyntaxError(`{{${kind}}} has no {{end}}`);
    this.#finish();
    return body;
  }

  /** `$element :=` or `$index, $element :=`. */
  #rangeVariables(): string[] {
    const [first, second, third, fourth] = this.#tokens.slice(this.#at);
    if (first?.kind !== "variable") return [];
    const pair = isSign(second, ",") && third?.kind === "variable";
    if (!isSign(pair ? fourth : second, ":=")) return [];
    this.#at += pair ? 4 : 2;
    return pair ? [first.text, third.text] : [first.text];
  }

  #pipe(): { value: Expression; assigns: boolean } {
    const [name, sign] = this.#tokens.slice(this.#at);
    const declares = isSign(sign, ":=");
    const assigns = name?.kind === "variable" && (declares || isSign(sign, "="));
    if (assigns) this.#at += 2;
    let variable = assigns && !declares ? this.#indexOf(name.text) : -1;
    let value = this.#command(null);
    while (this.#takeSign("|")) value = this.#command(value);
    if (!assigns) return { value, assigns };
    if (declares) variable = this.#variables.push(name.text) - 1;
    return { value: (run) => run.variables[variable] = value(run), assigns };
  }

  #command(before: Expression | null): Expression {
    const operands: Operand[] = [];
    for (let next = this.#peek(); next !== undefined; next = this.#peek()) {
      if (next.kind === "sign" && next.text !== "(") break;
      operands.push(this.#operand());
    }
    const [first, ...others] = operands;
    if (first === undefined) throw new SyntaxError("a value is missing");
    const { kind, calls } = first;
    if (kind === "nil") throw new SyntaxError("nil is not a value to print");
    if (before !== null && kind !== "function" && kind !== "dot") {
      throw new SyntaxError("what follows | must be a function");
    }
    const lastOf = (run: Run) => before === null ? [] : [before(run)];
    if (calls === "and" || calls === "or") {
      return (run) => {
        const last = lastOf(run);
        let value: Value = null;
        for (const operand of others) {
          value = operand.value(run);
          if (isTrue(value) === (calls === "or")) return value;
        }
        return last.length > 0 ? last[0]! : value;
      };
    }
    const called = others.length > 0 || before !== null;
    return (run) => {
      const last = lastOf(run);
      const value = calls === "" ? first.value(run, called) : FUNCTIONS[calls]!;
      if (typeof value !== "function") {
        if (called) throw new EvaluationError("a value takes no arguments");
        return value;
      }
      const result = value(...others.map((operand) => operand.value(run)), ...last);
      if (typeof result === "string") checkLength(result);
      return result;
    };
  }

  #operand(): Operand {
    const token = this.#tokens[this.#at++]!;
    const { text } = token;
    const fields = token.kind === "field" ? [text] : [];
    let kind: Operand["kind"] = "other";
    let start: Expression;
    if (token.kind === "dot" || token.kind === "field") {
      kind = "dot";
      start = (run) => run.dot;
    } else if (token.kind === "variable") {
      const index = this.#indexOf(text);
      // A declaration that `and` or `or` skipped leaves no value.
      start = (run) => run.variables[index] ?? null;
    } else if (token.kind === "sign") {
      start = this.#parenthesis();
    } else if (token.kind === "name" && text !== "true" && text !== "false") {
      if (text !== "nil") this.#checkFunction(text);
      kind = text === "nil" ? "nil" : "function";
      start = () => kind === "nil" ? null : FUNCTIONS[text]!();
    } else {
      const value = constant(token);
      start = () => value;
    }
    for (let next = this.#peek(); next?.kind === "field" && !next.spaced; next = this.#peek()) {
      fields.push(next.text);
      this.#at++;
    }
    const [first] = fields;
    const ofData = kind === "dot" ? this.#dotIsData : token.kind === "variable" && text === "$";
    if (ofData && first !== undefined && !this.#fields.has(first)) {
      const known = [...this.#fields].map((name) => `.${name}`).join(" ");
      throw new SyntaxError(`.${first} is not known (${known})`);
    }
    return {
      kind,
      calls: kind === "function" && first === undefined ? text : "",
      value(run, called = false) {
        run.step();
        let value = start(run);
        for (const [i, name] of fields.entries()) {
          value = fieldOf(value, name);
          const isCalled = called && i === fields.length - 1;
          if (typeof value === "function" && !isCalled) value = value();
        }
        return value;
      },
    };
  }

  #parenthesis(): Expression {
    this.#descend("parentheses");
    const { value } = this.#pipe();
    if (!this.#takeSign(")")) throw new SyntaxError("a ( has no )");
    this.#depth--;
    return value;
  }

  #checkFunction(name: string): void {
    if (REFUSED.has(name)) throw new SyntaxError(`${name} is not supported`);
    if (Object.hasOwn(FUNCTIONS, name)) return;
    const known = Object.keys(FUNCTIONS).join(" ");
    throw new SyntaxError(`function ${name} is not known (${known})`);
  }

  #indexOf(variable: string): number {
    const index = this.#variables.lastIndexOf(variable);
    if (index < 0) throw new SyntaxError(`variable ${variable} is not declared`);
    return index;
  }

  #descend(what: string): void {
    if (++this.#depth > MAX_DEPTH) throw new SyntaxError(`${what} are nested too deeply`);
  }

  #peek(): Token | undefined {
    return this.#tokens[this.#at];
  }

  #takeKeyword(): string | null {
    const token = this.#peek();
    if (token?.kind !== "name" || !KEYWORDS.has(token.text)) return null;
    this.#at++;
    return token.text;
  }

  #takeSign(sign: string): boolean {
    const found = isSign(this.#peek(), sign);
    if (found) this.#at++;
    return found;
  }

  #finish(): void {
    const token = this.#peek();
    if (token !== undefined) throw new SyntaxError(`unexpected ${JSON.stringify(token.text)}`);
  }
}

function isSign(token: Token | undefined, text: string): boolean {
  return token?.kind === "sign" && token.text === text;
}

function constant({ kind, text }: Token): Value {
  if (kind === "text") return text;
  if (kind === "name") return text === "true";
  if (kind === "character") return BigInt(text.codePointAt(0)!);
  const digits = text.replace(/_/g, "");
  if (/^[+-]?(0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|[0-9]+)$/.test(digits)) {
    const number = digits.replace(/^[+-]/, "");
    const value = BigInt(/^0[0-7]+$/.test(number) ? `0o${number.slice(1)}` : number);
    return digits.startsWith("-") ? -value : value;
  }
  const value = Number(digits);
  if (!Number.isFinite(value)) throw new SyntaxError(`${text} is not a number`);
  return value;
}
