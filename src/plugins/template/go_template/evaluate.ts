import { FUNCTIONS } from "./functions.ts";
import type { Node, Operand, Pipe } from "./syntax.ts";
import { EvaluationError, isTrue, textOf, type Value } from "./values.ts";

/** Nodes that one evaluation may visit: nested ranges over all groups of a pattern would go on. */
const MAX_STEPS = 10_000;
/** Longest text, in UTF-16 code units: a record cannot be longer than a message. */
const MAX_LENGTH = 65_535;

/** Names of the functions that templates may call. */
export const FUNCTION_NAMES: ReadonlySet<string> = new Set([
  "and",
  "or",
  ...Object.keys(FUNCTIONS),
]);

/** The text that a template makes of `data`. Throws `EvaluationError`. */
export function evaluate(nodes: readonly Node[], data: Value): string {
  return new Evaluation(data).run(nodes);
}

/** How a list of nodes ended. */
type Ending = "end" | "break" | "continue";

class Evaluation {
  readonly #variables: { name: string; value: Value }[];
  #dot: Value;
  #text = "";
  #steps = 0;

  constructor(data: Value) {
    this.#variables = [{ name: "$", value: data }];
    this.#dot = data;
  }

  run(nodes: readonly Node[]): string {
    this.#body(nodes);
    return this.#text;
  }

  #body(nodes: readonly Node[]): Ending {
    for (const node of nodes) {
      if (++this.#steps > MAX_STEPS) throw new EvaluationError("it takes too long");
      switch (node.kind) {
        case "text":
          this.#print(node.text);
          break;
        case "action": {
          const value = this.#pipe(node.pipe);
          if (node.pipe.variable === null) this.#print(textOf(value));
          break;
        }
        case "break":
        case "continue":
          return node.kind;
        default: {
          const variables = this.#variables.length;
          const ending = node.kind === "range" ? this.#range(node) : this.#choose(node);
          this.#variables.length = variables;
          if (ending !== "end") return ending;
        }
      }
    }
    return "end";
  }

  #choose(node: Node & { kind: "if" | "with" }): Ending {
    const value = this.#pipe(node.pipe);
    if (!isTrue(value)) return this.#body(node.otherwise);
    return node.kind === "if" ? this.#body(node.body) : this.#within(value, node.body);
  }

  #range(node: Node & { kind: "range" }): Ending {
    const elements = elementsOf(this.#pipe(node.pipe));
    if (elements.length === 0) return this.#body(node.otherwise);
    for (const [index, element] of elements) {
      const variables = this.#variables.length;
      if (node.index !== null) this.#variables.push({ name: node.index, value: index });
      if (node.element !== null) this.#variables.push({ name: node.element, value: element });
      const ending = this.#within(element, node.body);
      this.#variables.length = variables;
      if (ending === "break") break;
    }
    return "end";
  }

  #within(dot: Value, nodes: readonly Node[]): Ending {
    const before = this.#dot;
    this.#dot = dot;
    const ending = this.#body(nodes);
    this.#dot = before;
    return ending;
  }

  #pipe(pipe: Pipe): Value {
    let value: Value = null;
    pipe.commands.forEach((command, i) => value = this.#command(command, i === 0 ? [] : [value]));
    const { variable } = pipe;
    if (variable === null) return value;
    if (pipe.declares) this.#variables.push({ name: variable, value });
    else this.#variable(variable).value = value;
    return value;
  }

  /** The value of a command; `last` is what the command before it made, its last argument. */
  #command([first, ...others]: Operand[], last: Value[]): Value {
    const { of, fields } = first!;
    const args = () => [...others.map((operand) => this.#operand(operand)), ...last];
    if (of.kind === "function" && fields.length === 0) {
      if (of.name === "and" || of.name === "or") return this.#logic(of.name, others, last);
      const value = FUNCTIONS[of.name]!(...args());
      if (typeof value === "string" && value.length > MAX_LENGTH) throw tooLong();
      return value;
    }
    const value = this.#operand(first!, others.length + last.length > 0);
    if (typeof value === "function") return value(...args());
    if (others.length + last.length > 0) throw new EvaluationError("a value takes no arguments");
    return value;
  }

  /** The first argument that decides, or the last one. */
  #logic(name: "and" | "or", others: Operand[], last: Value[]): Value {
    let value: Value = null;
    for (const operand of others) {
      value = this.#operand(operand);
      if (isTrue(value) === (name === "or")) return value;
    }
    return last.length > 0 ? last[0]! : value;
  }

  #operand({ of, fields }: Operand, called = false): Value {
    if (++this.#steps > MAX_STEPS) throw new EvaluationError("it takes too long");
    let value = this.#start(of);
    for (const [i, name] of fields.entries()) {
      value = field(value, name);
      // A method without arguments is called where it stands.
      if (typeof value === "function" && !(called && i === fields.length - 1)) value = value();
    }
    return value;
  }

  #start(of: Operand["of"]): Value {
    switch (of.kind) {
      case "integer":
        return BigInt(of.value);
      case "nil":
        return null;
      case "dot":
        return this.#dot;
      case "variable":
        return this.#variable(of.name).value;
      case "function":
        return FUNCTIONS[of.name]!();
      case "pipe":
        return this.#pipe(of.pipe);
      default:
        return of.value;
    }
  }

  #variable(name: string): { value: Value } {
    return this.#variables.findLast((variable) => variable.name === name)!;
  }

  #print(text: string): void {
    this.#text += text;
    if (this.#text.length > MAX_LENGTH) throw tooLong();
  }
}

function tooLong(): EvaluationError {
  return new EvaluationError(`its text is longer than ${MAX_LENGTH} characters`);
}

function field(value: Value, name: string): Value {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new EvaluationError(`.${name} of ${textOf(value)}`);
  }
  return Object.hasOwn(value, name) ? (value as Record<string, Value>)[name]! : null;
}

function elementsOf(value: Value): [Value, Value][] {
  if (Array.isArray(value)) return value.map((element, i) => [BigInt(i), element]);
  if (value === null) return [];
  if (typeof value === "object") {
    return Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)) as [Value, Value][];
  }
  if (typeof value === "bigint") {
    if (value > BigInt(MAX_STEPS)) throw new EvaluationError(`range over ${value}`);
    return Array.from({ length: Math.max(0, Number(value)) }, (_, i) => [BigInt(i), BigInt(i)]);
  }
  throw new EvaluationError(`range over ${textOf(value)}`);
}
