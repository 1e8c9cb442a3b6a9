import { lex, type Piece, type Token } from "./lex.ts";
import { type Node, type Operand, type Pipe, TemplateError } from "./syntax.ts";

/** What a template may use. */
export interface Vocabulary {
  /** Names of functions. */
  readonly functions: ReadonlySet<string>;
  /** Fields of the data that it is evaluated with. */
  readonly fields: ReadonlySet<string>;
}

const KEYWORDS = new Set(["if", "else", "end", "range", "with", "break", "continue"]);
/** They need more than one template, or what is outside of it. */
const REFUSED = new Set(["define", "template", "block", "call", "html", "js", "urlquery"]);
/** Nested actions and parentheses. */
const MAX_DEPTH = 32;

/** Parses a template. Throws `TemplateError`. */
export function parse(template: string, vocabulary: Vocabulary): Node[] {
  return new Parser(lex(template), vocabulary).parse();
}

class Parser {
  readonly #pieces: Piece[];
  readonly #vocabulary: Vocabulary;
  #piece = 0;
  /** Names of the variables in sight. */
  #variables = ["$"];
  /** `.` is what the template is evaluated with. */
  #dotIsData = true;
  #depth = 0;
  #loops = 0;

  constructor(pieces: Piece[], vocabulary: Vocabulary) {
    this.#pieces = pieces;
    this.#vocabulary = vocabulary;
  }

  parse(): Node[] {
    const { nodes, closedBy } = this.#body();
    if (closedBy !== null) throw new TemplateError(`unexpected {{${closedBy.word}}}`);
    return nodes;
  }

  /** Reads pieces up to an `else` or `end`, or to the end of the template. */
  #body(): { nodes: Node[]; closedBy: { word: "else" | "end"; rest: Words } | null } {
    const nodes: Node[] = [];
    while (this.#piece < this.#pieces.length) {
      const piece = this.#pieces[this.#piece++]!;
      if ("text" in piece) {
        nodes.push({ kind: "text", text: piece.text });
        continue;
      }
      const words = new Words(piece.action);
      const word = words.takeKeyword();
      if (word === "else" || word === "end") return { nodes, closedBy: { word, rest: words } };
      nodes.push(this.#action(word, words));
    }
    return { nodes, closedBy: null };
  }

  #action(word: string | null, words: Words): Node {
    switch (word) {
      case "if":
      case "with":
      case "range":
        return this.#branch(word, words);
      case "break":
      case "continue":
        if (this.#loops === 0) throw new TemplateError(`{{${word}}} outside of {{range}}`);
        words.finish();
        return { kind: word };
      default: {
        const pipe = this.#pipe(words);
        words.finish();
        return { kind: "action", pipe };
      }
    }
  }

  #branch(kind: "if" | "with" | "range", words: Words): Node {
    if (++this.#depth > MAX_DEPTH) throw new TemplateError("actions are nested too deeply");
    const variables = this.#variables.length;
    const dotIsData = this.#dotIsData;
    const names = kind === "range" ? this.#rangeVariables(words) : [];
    const pipe = this.#pipe(words);
    words.finish();
    this.#variables.push(...names);
    if (kind !== "if") this.#dotIsData = false;
    if (kind === "range") this.#loops++;
    const { nodes: body, closedBy } = this.#body();
    if (kind === "range") this.#loops--;
    this.#dotIsData = dotIsData;
    const otherwise = this.#otherwise(kind, closedBy);
    this.#variables.length = variables;
    this.#depth--;
    if (kind !== "range") return { kind, pipe, body, otherwise };
    const [index, element] = names.length === 1 ? [null, names[0]!] : [names[0], names[1]];
    return { kind, pipe, index: index ?? null, element: element ?? null, body, otherwise };
  }

  #otherwise(kind: string, closedBy: { word: "else" | "end"; rest: Words } | null): Node[] {
    if (closedBy === null) throw new TemplateError(`{{${kind}}} has no {{end}}`);
    const { word, rest } = closedBy;
    if (word === "end") {
      rest.finish();
      return [];
    }
    const chained = rest.takeKeyword();
    if (chained !== null) {
      if (chained !== kind || kind === "range") {
        throw new TemplateError(`unexpected {{else ${chained}}} after {{${kind}}}`);
      }
      return [this.#branch(kind as "if" | "with", rest)];
    }
    rest.finish();
    const { nodes, closedBy: end } = this.#body();
    if (end?.word !== "end") throw new TemplateError(`{{${kind}}} has no {{end}}`);
    end.rest.finish();
    return nodes;
  }

  /** `$element :=` or `$index, $element :=`. */
  #rangeVariables(words: Words): string[] {
    const [first, second, third, fourth] = [0, 1, 2, 3].map((i) => words.peek(i));
    if (first?.kind !== "variable") return [];
    if (isSign(second, ":=")) {
      words.skip(2);
      return [first.text];
    }
    if (!isSign(second, ",") || third?.kind !== "variable" || !isSign(fourth, ":=")) return [];
    words.skip(4);
    return [first.text, third.text];
  }

  #pipe(words: Words): Pipe {
    const [name, sign] = [words.peek(0), words.peek(1)];
    const pipe: Pipe = { variable: null, declares: false, commands: [] };
    if (name?.kind === "variable" && (isSign(sign, ":=") || isSign(sign, "="))) {
      words.skip(2);
      pipe.variable = name.text;
      pipe.declares = sign!.text === ":=";
      if (!pipe.declares) this.#known(name.text);
    }
    do {
      const command: Operand[] = [];
      while (words.startsOperand()) command.push(this.#operand(words));
      if (command.length === 0) throw new TemplateError("a value is missing");
      const { of } = command[0]!;
      if (of.kind === "nil") throw new TemplateError("nil is not a value to print");
      if (pipe.commands.length > 0 && of.kind !== "function" && of.kind !== "dot") {
        throw new TemplateError("what follows | must be a function");
      }
      pipe.commands.push(command);
    } while (words.takeSign("|"));
    if (pipe.declares) this.#variables.push(pipe.variable!);
    return pipe;
  }

  #operand(words: Words): Operand {
    const token = words.take();
    const fields: string[] = [];
    let of: Operand["of"];
    switch (token.kind) {
      case "field":
        of = { kind: "dot" };
        fields.push(token.text);
        break;
      case "dot":
        of = { kind: "dot" };
        break;
      case "variable":
        this.#known(token.text);
        of = { kind: "variable", name: token.text };
        break;
      case "text":
        of = { kind: "text", value: token.text };
        break;
      case "character":
        of = { kind: "integer", value: String(token.text.codePointAt(0)) };
        break;
      case "number":
        of = readNumber(token.text);
        break;
      case "name":
        of = this.#word(token.text);
        break;
      default:
        of = { kind: "pipe", pipe: this.#parenthesis(words) };
    }
    for (let next = words.peek(0); next?.kind === "field" && !next.spaced; next = words.peek(0)) {
      fields.push(words.take().text);
    }
    const ofData = of.kind === "dot" ? this.#dotIsData : of.kind === "variable" && of.name === "$";
    const [first] = fields;
    if (ofData && first !== undefined && !this.#vocabulary.fields.has(first)) {
      const known = [...this.#vocabulary.fields].map((name) => `.${name}`).join(" ");
      throw new TemplateError(`.${first} is not known (${known})`);
    }
    return { of, fields };
  }

  #parenthesis(words: Words): Pipe {
    if (++this.#depth > MAX_DEPTH) throw new TemplateError("parentheses are nested too deeply");
    const pipe = this.#pipe(words);
    if (!words.takeSign(")")) throw new TemplateError("a ( has no )");
    this.#depth--;
    return pipe;
  }

  #word(name: string): Operand["of"] {
    if (name === "true" || name === "false") return { kind: "boolean", value: name === "true" };
    if (name === "nil") return { kind: "nil" };
    if (REFUSED.has(name)) throw new TemplateError(`${name} is not supported`);
    if (!this.#vocabulary.functions.has(name)) {
      const known = [...this.#vocabulary.functions].join(" ");
      throw new TemplateError(`function ${name} is not known (${known})`);
    }
    return { kind: "function", name };
  }

  #known(variable: string): void {
    if (!this.#variables.includes(variable)) {
      throw new TemplateError(`variable ${variable} is not declared`);
    }
  }
}

/** The words of one action. */
class Words {
  readonly #tokens: Token[];
  #at = 0;

  constructor(tokens: Token[]) {
    this.#tokens = tokens;
  }

  peek(ahead: number): Token | undefined {
    return this.#tokens[this.#at + ahead];
  }

  take(): Token {
    return this.#tokens[this.#at++]!;
  }

  skip(count: number): void {
    this.#at += count;
  }

  takeKeyword(): string | null {
    const token = this.peek(0);
    if (token?.kind !== "name" || !KEYWORDS.has(token.text)) return null;
    return this.take().text;
  }

  takeSign(sign: string): boolean {
    if (!isSign(this.peek(0), sign)) return false;
    this.#at++;
    return true;
  }

  startsOperand(): boolean {
    const token = this.peek(0);
    return token !== undefined && (token.kind !== "sign" || token.text === "(");
  }

  finish(): void {
    const token = this.peek(0);
    if (token !== undefined) throw new TemplateError(`unexpected ${JSON.stringify(token.text)}`);
  }
}

function isSign(token: Token | undefined, text: string): boolean {
  return token?.kind === "sign" && token.text === text;
}

function readNumber(text: string): Operand["of"] {
  const digits = text.replace(/_/g, "");
  if (/^[+-]?(0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|[0-9]+)$/.test(digits)) {
    const [, sign, number] = /^([+-]?)(.*)$/.exec(digits)!;
    const value = BigInt(/^0[0-7]+$/.test(number!) ? `0o${number!.slice(1)}` : number!);
    return { kind: "integer", value: String(sign === "-" ? -value : value) };
  }
  const value = Number(digits);
  if (!Number.isFinite(value)) throw new TemplateError(`${text} is not a number`);
  return { kind: "number", value };
}
