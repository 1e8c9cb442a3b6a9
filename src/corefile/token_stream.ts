import { type Faults, type Place, TooManyFaults } from "./error.ts";
import { findImports, type ImportView } from "./import_paths.ts";
import { isBrace, splitWords, type Token } from "./lexer.ts";
import { didYouMean } from "./nearest.ts";
import { quote } from "./quote.ts";
import { readFailure } from "./read_failure.ts";

const MAX_WORDS = 500_000;
const MAX_FILE_SIZE = 16 * 1024 * 1024;
/** CoreDNS's limit for snippets. */
const MAX_IMPORTS = 10_000;
/** Stops ever longer paths. */
const MAX_DEPTH = 100;

/** The Corefile, or an import being read. */
interface Frame {
  readonly tokens: readonly Token[];
  at: number;
  /** For messages: `snippet (log)`, or paths. */
  readonly names: readonly string[];
}

/** The words of a Corefile with imports replaced. */
export class TokenStream {
  readonly #view: ImportView;
  readonly #faults: Faults;
  readonly #snippets = new Map<string, { place: Place; tokens: readonly Token[] }>();
  readonly #files = new Map<string, readonly Token[]>();
  readonly #stack: Frame[] = [];
  #words = 0;
  #imports = 0;

  /** Throws `TooManyFaults` if the text is too long. */
  constructor(source: { file: string; text: string; view: ImportView }, faults: Faults) {
    const { file, text, view } = source;
    this.#view = view;
    this.#faults = faults;
    // As imports name it, so that importing the Corefile itself is detected.
    const names = [findImports(file, file, view)[0] ?? file];
    this.#push(this.#split(text, file), names, { file, line: 1 });
  }

  get files(): string[] {
    return [...this.#files.keys()];
  }

  fault(place: Place, what: string): void {
    this.#faults.at(place, what);
  }

  peek(): Token | null {
    for (let i = this.#stack.length - 1; i >= 0; i--) {
      const token = this.#stack[i]!.tokens[this.#stack[i]!.at];
      if (token !== undefined) return token;
    }
    return null;
  }

  next(): Token | null {
    for (; this.#stack.length > 0; this.#stack.pop()) {
      const frame = this.#stack.at(-1)!;
      const token = frame.tokens[frame.at++];
      if (token !== undefined) return token;
    }
    return null;
  }

  /** `peek` within the line; a closing brace ends it. */
  peekInLine(): Token | null {
    const token = this.peek();
    return token === null || token.first || isBrace(token, "}") ? null : token;
  }

  skipLine(): void {
    while (this.peekInLine() !== null) this.next();
  }

  expand(token: Token): string {
    return replaceEnvironment(token.text, (name) => {
      const value = this.#view.env(name);
      if (value !== undefined) return value;
      this.#faults.warn(token, `environment variable ${quote(name)} is not set`);
      return "";
    });
  }

  define(name: string, place: Place, tokens: readonly Token[]): void {
    const [first, ...rest] = tokens;
    this.#snippets.set(name, {
      place,
      tokens: first === undefined || first.first ? tokens : [{ ...first, first: true }, ...rest],
    });
  }

  snippetPlace(name: string): Place | null {
    return this.#snippets.get(name)?.place ?? null;
  }

  import(directive: Token): void {
    const needs = "import needs the name of a snippet or the path of a file";
    const argument = this.peekInLine();
    if (argument === null) return this.fault(directive, needs);
    this.next();
    const name = this.expand(argument);
    const extra = this.peekInLine();
    if (extra !== null) {
      const what = `import takes one argument, but ${quote(extra.text)} follows ${quote(name)}`;
      this.fault(extra, what);
      return this.skipLine();
    }
    if (name === "") return this.fault(argument, `${needs}, but it is empty`);
    if (++this.#imports > MAX_IMPORTS) this.#stop(directive, `more than ${MAX_IMPORTS} imports`);
    const snippet = this.#snippets.get(name);
    if (snippet === undefined) this.#importFiles(directive, name);
    else this.#enter(directive, [`snippet (${name})`], snippet.tokens);
  }

  #importFiles(directive: Token, name: string): void {
    let paths;
    try {
      paths = findImports(name, directive.file, this.#view);
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      return this.fault(directive, `cannot import ${quote(name)}: ${error.message}`);
    }
    if (paths.length === 0) {
      return this.#faults.warn(directive, `no file matches the import ${quote(name)}`);
    }
    const tokens: Token[] = [];
    for (const path of paths) {
      const file = this.#files.get(path) ?? this.#readFile(directive, name, path);
      if (file === null) return;
      for (const token of file) tokens.push(token);
      this.#checkSize(tokens.length, directive);
    }
    this.#enter(directive, paths, tokens);
  }

  #readFile(directive: Token, name: string, path: string): readonly Token[] | null {
    let text;
    try {
      text = this.#view.readTextFile(path);
    } catch (error) {
      const snippets = didYouMean(name, this.#snippets.keys()) ||
        " (snippets are defined before they are imported)";
      const kind = this.#view.kindOf(path);
      const why = kind === null
        ? `there is no ${path}`
        : kind === "directory"
        ? `${path} is a directory`
        : readFailure(error);
      this.fault(directive, `cannot import ${quote(name)}: ${why}${snippets}`);
      return null;
    }
    const tokens = this.#split(text, path);
    this.#files.set(path, tokens);
    return tokens;
  }

  #enter(directive: Token, names: readonly string[], tokens: readonly Token[]): void {
    const stack = this.#stack;
    const start = stack.findLastIndex((frame) => names.some((name) => frame.names.includes(name)));
    if (start >= 0) {
      const again = names.find((name) => stack[start]!.names.includes(name))!;
      const circle = [again, ...stack.slice(start + 1).map(({ names }) => names[0]!), again];
      if (circle.length > 8) circle.splice(7, Infinity, "…");
      this.fault(directive, `imports form a circle: ${circle.join(" imports ")}`);
    } else if (stack.length > MAX_DEPTH) {
      this.fault(directive, `imports are nested more than ${MAX_DEPTH} deep`);
    } else {
      this.#push(tokens, names, directive);
    }
  }

  #push(tokens: readonly Token[], names: readonly string[], place: Place): void {
    this.#checkSize(tokens.length, place);
    this.#words += tokens.length;
    this.#stack.push({ tokens, at: 0, names });
  }

  #checkSize(more: number, place: Place): void {
    if (this.#words + more > MAX_WORDS) {
      this.#stop(place, `more than ${MAX_WORDS} words, imports included`);
    }
  }

  #split(text: string, file: string): Token[] {
    this.#faults.addFile(file);
    if (text.length > MAX_FILE_SIZE) {
      this.#stop({ file, line: 1 }, `longer than ${MAX_FILE_SIZE} characters`);
    }
    return splitWords(text, file, this.#faults);
  }

  #stop(place: Place, what: string): never {
    this.fault(place, what);
    throw new TooManyFaults();
  }
}

/** Replaces `{%NAME%}` and `{$NAME}`, not recursively. */
function replaceEnvironment(text: string, value: (name: string) => string): string {
  for (const [start, end] of [["{%", "%}"], ["{$", "}"]] as const) {
    let result = "";
    let from = 0;
    for (;;) {
      const open = text.indexOf(start, from);
      const close = open < 0 ? -1 : text.indexOf(end, open + start.length);
      // A reference without a name ends the search, as in CoreDNS.
      if (close <= open + start.length) break;
      result += text.slice(from, open) + value(text.slice(open + start.length, close));
      from = close + end.length;
    }
    text = result + text.slice(from);
  }
  return text;
}
