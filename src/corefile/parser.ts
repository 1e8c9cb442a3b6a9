import { CorefileError, type Place } from "./error.ts";
import type { Faults } from "./faults.ts";
import type { ImportView } from "./import_paths.ts";
import { quote } from "./quote.ts";
import { isBrace, type Line, type Token } from "./token.ts";
import { TokenStream } from "./token_stream.ts";

/** Most blocks within each other; no directive needs more than two. */
const MAX_NESTING = 16;

/** A server block: the zones that it serves, and its directives. */
export interface ServerBlock extends Place {
  /** As written, references to the environment replaced; at least one. */
  keys: Token[];
  lines: Line[];
}

/** What a Corefile says, before anybody knows what its directives mean. */
export interface ParsedCorefile {
  blocks: ServerBlock[];
  /** Absolute paths of the files that it imports. */
  files: string[];
}

/**
 * Reads the structure of a Corefile: server blocks, directives, options and their words.
 *
 * Goes on after a fault as well as it can, so the result is good to look for further faults in.
 */
export function parseCorefile(
  source: { file: string; text: string; view: ImportView },
  faults: Faults,
  warn: (place: Place, text: string) => void,
): ParsedCorefile {
  const stream = new TokenStream(source, faults, warn);
  return { blocks: new Parser(stream, faults).parse(), files: stream.files };
}

class Parser {
  readonly #stream: TokenStream;
  readonly #faults: Faults;

  constructor(stream: TokenStream, faults: Faults) {
    this.#stream = stream;
    this.#faults = faults;
  }

  parse(): ServerBlock[] {
    const blocks: ServerBlock[] = [];
    while (this.#stream.peek() !== null) {
      const keys: Token[] = [];
      const attached = this.#readKeys(keys);
      const [key] = keys;
      const opening = attached ?? this.#takeOpening();
      if (key !== undefined && keys.length === 1 && /^\(.*\)$/s.test(key.text) && !key.quoted) {
        this.#readSnippet(key, opening);
        continue;
      }
      if (key === undefined && opening === null) continue;
      if (key === undefined) {
        this.#fault(opening!, "a server block needs a zone before its brace (. for every name)");
      }
      const lines = this.#readLines(opening, 0);
      if (key !== undefined) blocks.push({ file: key.file, line: key.line, keys, lines });
    }
    return blocks;
  }

  /**
   * Reads the words before the brace of a server block.
   *
   * @returns the last of them where a brace is attached to it, which is a fault but clear enough
   */
  #readKeys(keys: Token[]): Token | null {
    let comma: Token | null = null;
    let some = false;
    for (let token = this.#stream.peek(); token !== null; token = this.#stream.peek()) {
      if (isBrace(token, "{")) break;
      if (some && comma === null && token.first) return null;
      this.#stream.next();
      if (token.first && token.text === "import" && !token.quoted) {
        this.#stream.import(token);
        continue;
      }
      if (isBrace(token, "}")) {
        this.#fault(token, 'unexpected "}": no block is open');
        continue;
      }
      some = true;
      let text = this.#stream.expand(token);
      if (text === "") continue;
      comma = text.endsWith(",") ? token : null;
      if (comma !== null) text = text.slice(0, -1);
      const attached = text.length > 1 && text.endsWith("{") && !token.quoted;
      if (attached) {
        text = text.slice(0, -1);
        this.#fault(token, `a space is missing before "{" in ${quote(token.text)}`);
      }
      if (text === "") this.#fault(token, "a zone is missing before the comma");
      else keys.push({ ...token, text });
      if (attached) return token;
    }
    if (comma !== null) this.#fault(comma, "a zone is missing after the comma");
    return null;
  }

  #takeOpening(): Token | null {
    const token = this.#stream.peek();
    if (token === null || !isBrace(token, "{")) return null;
    return this.#stream.next();
  }

  /** Keeps the words between the braces of `(name) { … }` as they are. */
  #readSnippet(key: Token, opening: Token | null): void {
    const name = key.text.slice(1, -1);
    if (opening === null) {
      this.#fault(key, `snippet ${key.text} needs a block: ${key.text} { … }`);
      return;
    }
    const tokens: Token[] = [];
    let depth = 1;
    for (let token = this.#stream.next(); token !== null; token = this.#stream.next()) {
      if (isBrace(token, "{")) depth++;
      else if (isBrace(token, "}") && --depth === 0) break;
      tokens.push(token);
    }
    if (depth > 0) this.#neverClosed(opening);
    const before = this.#stream.snippetPlace(name);
    if (name === "") {
      this.#fault(key, "a snippet needs a name between its brackets");
    } else if (before !== null) {
      this.#fault(
        key,
        `snippet ${key.text} is already defined at ${before.file}:${before.line} (rename one of them)`,
      );
    } else {
      this.#stream.define(name, key, tokens);
    }
  }

  /** Reads lines up to the closing brace, or to the end where no brace was opened. */
  #readLines(opening: Token | null, depth: number): Line[] {
    const lines: Line[] = [];
    for (let token = this.#stream.peek(); token !== null; token = this.#stream.peek()) {
      if (isBrace(token, "}")) {
        this.#stream.next();
        if (opening !== null) return lines;
        this.#fault(token, 'unexpected "}": no block is open');
      } else if (isBrace(token, "{")) {
        this.#stream.next();
        this.#fault(
          token,
          'unexpected "{": it must end the line of the directive that it belongs to',
        );
        this.#readBlock(token, depth);
      } else if (token.text === "import" && !token.quoted) {
        this.#stream.next();
        this.#stream.import(token);
      } else {
        lines.push(this.#readLine(depth));
      }
    }
    if (opening !== null) this.#neverClosed(opening);
    return lines;
  }

  #readLine(depth: number): Line {
    const words: Line["words"] = [this.#takeWord()];
    for (;;) {
      const token = this.#stream.peek();
      if (token === null || token.first) return { words, block: null };
      if (isBrace(token, "}")) {
        // A directive's block may end on the line of its last option, a server block may not.
        if (depth === 0) this.#fault(token, '"}" must stand on a line of its own');
        return { words, block: null };
      }
      if (isBrace(token, "{")) {
        this.#stream.next();
        return { words, block: this.#readBlock(token, depth) };
      }
      const word = this.#takeWord();
      if (token.text === "{}" && !token.quoted) {
        this.#fault(token, '"{}" is no block (put "}" on a line of its own, or leave both out)');
      } else words.push(word);
    }
  }

  #takeWord(): Token {
    const token = this.#stream.next()!;
    return { ...token, text: this.#stream.expand(token) };
  }

  #readBlock(opening: Token, depth: number): Line[] {
    let lines: Line[] = [];
    if (depth < MAX_NESTING) {
      lines = this.#readLines(opening, depth + 1);
    } else {
      this.#fault(opening, `more than ${MAX_NESTING} blocks within each other`);
      this.#skipBlock();
    }
    const token = this.#stream.peek();
    if (token !== null && !token.first) {
      if (isBrace(token, "}") && depth > 0) return lines;
      if (isBrace(token, "}")) {
        this.#fault(token, '"}" must stand on a line of its own');
      } else {
        this.#fault(token, `unexpected ${quote(token.text)} after "}" (begin a new line)`);
        this.#stream.skipLine();
      }
    }
    return lines;
  }

  #skipBlock(): void {
    let depth = 1;
    for (let token = this.#stream.next(); token !== null; token = this.#stream.next()) {
      if (isBrace(token, "{")) depth++;
      else if (isBrace(token, "}") && --depth === 0) return;
    }
  }

  #neverClosed(opening: Token): void {
    this.#fault(opening, 'this block is never closed (add "}" on a line of its own)');
  }

  #fault(place: Place, what: string): void {
    this.#faults.add(new CorefileError(place, "", what));
  }
}
