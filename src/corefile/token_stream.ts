import { CorefileError, type Place } from "./error.ts";
import { type Faults, TooManyFaults } from "./faults.ts";
import { findImports, type ImportView } from "./import_paths.ts";
import { replaceEnvironment } from "./environment.ts";
import { doubtfulWord } from "./doubtful_word.ts";
import { splitWords } from "./lexer.ts";
import { didYouMean } from "./nearest.ts";
import { quote } from "./quote.ts";
import { readFailure } from "./read_failure.ts";
import { isBrace, type Token } from "./token.ts";

/** Most words of a configuration with everything that it imports. */
const MAX_WORDS = 500_000;
/** Most characters of one file. */
const MAX_FILE_SIZE = 16 * 1024 * 1024;
/** Most imports that are followed (CoreDNS's limit for snippets). */
const MAX_IMPORTS = 10_000;
/** Most imports within each other. Circles are found before; this is for ever longer paths. */
const MAX_DEPTH = 100;

/** Where words come from: the Corefile, or something that was imported into its place. */
interface Frame {
  tokens: readonly Token[];
  at: number;
  /** Text for messages: `snippet (log)`, or a path. */
  names: string[];
  /** Whose `import` brought this here. */
  parent: Frame | null;
  depth: number;
}

/** The words of a Corefile one after the other, with what is imported in the place of `import`. */
export class TokenStream {
  readonly #view: ImportView;
  readonly #faults: Faults;
  readonly #warn: (place: Place, text: string) => void;
  readonly #snippets = new Map<string, { place: Place; tokens: readonly Token[] }>();
  readonly #files = new Map<string, readonly Token[]>();
  readonly #stack: Frame[] = [];
  #words = 0;
  #imports = 0;

  /** Throws `TooManyFaults` where the text is longer than any Corefile. */
  constructor(
    source: { file: string; text: string; view: ImportView },
    faults: Faults,
    warn: (place: Place, text: string) => void,
  ) {
    this.#view = source.view;
    this.#faults = faults;
    this.#warn = warn;
    faults.addFile(source.file);
    const tokens = this.#split(source.text, source.file);
    // The path as imports name it, so that a file that imports the Corefile is seen as a circle.
    const names = [findImports(source.file, source.file, source.view).paths[0] ?? source.file];
    this.#push({ tokens, at: 0, names, parent: null, depth: 0 }, { file: source.file, line: 1 });
  }

  /** Absolute paths of the files that were imported. */
  get files(): string[] {
    return [...this.#files.keys()];
  }

  /** The next word without taking it, or null at the end. */
  peek(): Token | null {
    for (let i = this.#stack.length - 1; i >= 0; i--) {
      const token = this.#stack[i]!.tokens[this.#stack[i]!.at];
      if (token !== undefined) return token;
    }
    return null;
  }

  /** Takes the next word. */
  next(): Token | null {
    while (this.#stack.length > 0) {
      const frame = this.#stack.at(-1)!;
      const token = frame.tokens[frame.at];
      if (token !== undefined) {
        frame.at++;
        return token;
      }
      this.#stack.pop();
    }
    return null;
  }

  /** Skips what is left of the line, except for a brace that closes a block. */
  skipLine(): void {
    for (let token = this.peek(); token !== null; token = this.peek()) {
      if (token.first || isBrace(token, "}")) return;
      this.next();
    }
  }

  /** The text of a word with its references to environment variables replaced. */
  expand(token: Token): string {
    return replaceEnvironment(
      token.text,
      (name) => this.#view.env(name),
      (name) => this.#warn(token, `environment variable ${quote(name)} is not set`),
    );
  }

  /** Keeps the words of a snippet for `import`. */
  define(name: string, place: Place, tokens: readonly Token[]): void {
    const [first, ...rest] = tokens;
    this.#snippets.set(name, {
      place,
      tokens: first === undefined || first.first ? tokens : [{ ...first, first: true }, ...rest],
    });
  }

  /** Where a snippet was defined, or null. */
  snippetPlace(name: string): Place | null {
    return this.#snippets.get(name)?.place ?? null;
  }

  /** Puts what an `import` names in its place; the word itself has been taken. */
  import(directive: Token): void {
    const argument = this.peek();
    if (argument === null || argument.first || isBrace(argument, "}")) {
      this.#fault(directive, "import needs the name of a snippet or the path of a file");
      return;
    }
    this.next();
    const name = this.expand(argument);
    const extra = this.peek();
    if (extra !== null && !extra.first && !isBrace(extra, "}")) {
      this.#fault(
        extra,
        `import takes one argument, but ${quote(extra.text)} follows ${quote(name)}`,
      );
      this.skipLine();
      return;
    }
    if (name === "") {
      this.#fault(
        argument,
        "import needs the name of a snippet or the path of a file, but it is empty",
      );
      return;
    }
    const snippet = this.#snippets.get(name);
    const parent = this.#stack.at(-1)!;
    if (++this.#imports > MAX_IMPORTS) {
      this.#fault(directive, `more than ${MAX_IMPORTS} imports`);
      throw new TooManyFaults();
    }
    if (snippet !== undefined) {
      this.#enter(directive, [`snippet (${name})`], snippet.tokens, parent);
    } else {
      this.#importFiles(directive, name, parent);
    }
  }

  #importFiles(directive: Token, name: string, parent: Frame): void {
    let imports;
    try {
      imports = findImports(name, directive.file, this.#view);
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      this.#fault(directive, `cannot import ${quote(name)}: ${error.message}`);
      return;
    }
    if (imports.paths.length === 0) {
      this.#warn(directive, `no file matches the import ${quote(name)}`);
      return;
    }
    const tokens: Token[] = [];
    for (const path of imports.paths) {
      const file = this.#readFile(directive, name, path);
      if (file === null) return;
      for (const token of file) tokens.push(token);
      this.#checkSize(tokens.length, directive);
    }
    this.#enter(directive, imports.paths, tokens, parent);
  }

  #readFile(directive: Token, name: string, path: string): readonly Token[] | null {
    const known = this.#files.get(path);
    if (known !== undefined) return known;
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
      this.#fault(directive, `cannot import ${quote(name)}: ${why}${snippets}`);
      return null;
    }
    this.#faults.addFile(path);
    const tokens = this.#split(text, path);
    this.#files.set(path, tokens);
    return tokens;
  }

  #enter(directive: Token, names: string[], tokens: readonly Token[], parent: Frame): void {
    for (let frame: Frame | null = parent; frame !== null; frame = frame.parent) {
      const again = names.find((name) => frame!.names.includes(name));
      if (again === undefined) continue;
      const circle = [again];
      for (let step = parent; step !== frame; step = step.parent!) circle.unshift(step.names[0]!);
      circle.unshift(again);
      const shown = circle.length <= 8 ? circle : [...circle.slice(0, 7), "…"];
      this.#fault(directive, `imports go in a circle: ${shown.join(" imports ")}`);
      return;
    }
    if (parent.depth >= MAX_DEPTH) {
      this.#fault(directive, `more than ${MAX_DEPTH} imports within each other`);
      return;
    }
    this.#push({ tokens, at: 0, names, parent, depth: parent.depth + 1 }, directive);
  }

  #push(frame: Frame, place: Place): void {
    this.#checkSize(frame.tokens.length, place);
    this.#words += frame.tokens.length;
    this.#stack.push(frame);
  }

  #checkSize(more: number, place: Place): void {
    if (this.#words + more <= MAX_WORDS) return;
    this.#fault(place, `more than ${MAX_WORDS} words, imports included`);
    throw new TooManyFaults();
  }

  #split(text: string, file: string): Token[] {
    if (text.length > MAX_FILE_SIZE) {
      this.#fault({ file, line: 1 }, `longer than ${MAX_FILE_SIZE} characters`);
      throw new TooManyFaults();
    }
    const words = splitWords(text, file, (error) => this.#faults.add(error), this.#warn);
    for (const word of words) {
      const doubt = doubtfulWord(word);
      if (doubt !== null) this.#warn(word, doubt);
    }
    return words;
  }

  #fault(place: Place, what: string): void {
    this.#faults.add(new CorefileError(place, "", what));
  }
}
