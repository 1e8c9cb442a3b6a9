import type { Faults, Place } from "./error.ts";
import type { ImportView } from "./import_paths.ts";
import { isBrace, type Token } from "./lexer.ts";
import { quote } from "./quote.ts";
import { TokenStream } from "./token_stream.ts";

/** No directive needs more than two. */
const MAX_NESTING = 16;
const CLOSE_ALONE = '"}" must be on a line of its own';

/** A directive or option. */
export interface Line {
  words: [Token, ...Token[]];
  /** Null for a line without braces. */
  block: Line[] | null;
}

/** A server block. */
export interface ServerBlock extends Place {
  /** As written, with environment variables replaced; at least one. */
  keys: Token[];
  lines: Line[];
}

/**
 * Parses a Corefile; `files` are the absolute paths of its imports. Continues after a fault, so that
 * directives can be checked too.
 */
export function parseCorefile(
  source: { file: string; text: string; view: ImportView },
  faults: Faults,
): { blocks: ServerBlock[]; files: string[] } {
  const stream = new TokenStream(source, faults);
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
      const opening = this.#readKeys(keys);
      const [key] = keys;
      if (key !== undefined && keys.length === 1 && /^\(.*\)$/s.test(key.text) && !key.quoted) {
        this.#readSnippet(key, opening);
        continue;
      }
      if (key === undefined && opening === null) continue;
      if (key === undefined) {
        this.#faults.at(
          opening!,
          "a server block needs a zone before its brace (. for every name)",
        );
      }
      const lines = this.#readLines(opening, 0);
      if (key !== undefined) blocks.push({ file: key.file, line: key.line, keys, lines });
    }
    return blocks;
  }

  /** Reads the keys of a server block; returns its brace, or null. */
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
        this.#faults.at(token, 'unexpected "}": no block is open');
        continue;
      }
      some = true;
      let text = this.#stream.expand(token);
      if (text === "") continue;
      comma = text.endsWith(",") ? token : null;
      if (comma !== null) text = text.slice(0, -1);
      // A fault, but clear enough to read on.
      const attached = text.length > 1 && text.endsWith("{") && !token.quoted;
      if (attached) {
        text = text.slice(0, -1);
        this.#faults.at(token, `a space is missing before "{" in ${quote(token.text)}`);
      }
      if (text === "") this.#faults.at(token, "a zone is missing before the comma");
      else keys.push({ ...token, text });
      if (attached) return token;
    }
    if (comma !== null) this.#faults.at(comma, "a zone is missing after the comma");
    return this.#stream.next();
  }

  #readSnippet(key: Token, opening: Token | null): void {
    const name = key.text.slice(1, -1);
    if (opening === null) {
      return this.#faults.at(key, `snippet ${key.text} needs a block: ${key.text} { … }`);
    }
    const { tokens, closed } = this.#takeBlock();
    if (!closed) this.#neverClosed(opening);
    const before = this.#stream.snippetPlace(name);
    if (name === "") {
      this.#faults.at(key, "a snippet needs a name between its brackets");
    } else if (before !== null) {
      const what = `snippet ${key.text} is already defined at ${before.file}:${before.line}`;
      this.#faults.at(key, `${what} (rename one of them)`);
    } else {
      this.#stream.define(name, key, tokens);
    }
  }

  /** Reads lines up to the closing brace; without an opening one, to the end. */
  #readLines(opening: Token | null, depth: number): Line[] {
    const lines: Line[] = [];
    for (let token = this.#stream.peek(); token !== null; token = this.#stream.peek()) {
      if (isBrace(token, "}")) {
        this.#stream.next();
        if (opening !== null) return lines;
        this.#faults.at(token, 'unexpected "}": no block is open');
      } else if (isBrace(token, "{")) {
        this.#stream.next();
        this.#faults.at(token, 'unexpected "{": it must end the line of its directive');
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
    for (let token = this.#stream.peek(); token !== null; token = this.#stream.peek()) {
      if (token.first) break;
      if (isBrace(token, "}")) {
        // A directive's block may end on the line of its last option, a server block may not.
        if (depth === 0) this.#faults.at(token, CLOSE_ALONE);
        break;
      }
      if (isBrace(token, "{")) {
        this.#stream.next();
        return { words, block: this.#readBlock(token, depth) };
      }
      const word = this.#takeWord();
      if (token.text !== "{}" || token.quoted) words.push(word);
      else {
        const remedy = 'put "}" on a line of its own, or leave both out';
        this.#faults.at(token, `"{}" is not a block (${remedy})`);
      }
    }
    return { words, block: null };
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
      this.#faults.at(opening, `blocks are nested more than ${MAX_NESTING} deep`);
      this.#takeBlock();
    }
    const token = this.#stream.peek();
    if (token === null || token.first) return lines;
    if (!isBrace(token, "}")) {
      this.#faults.at(token, `unexpected ${quote(token.text)} after "}" (begin a new line)`);
      this.#stream.skipLine();
    } else if (depth === 0) {
      this.#faults.at(token, CLOSE_ALONE);
    }
    return lines;
  }

  /** Consumes the words of a block with its closing brace. */
  #takeBlock(): { tokens: Token[]; closed: boolean } {
    const tokens: Token[] = [];
    let depth = 1;
    for (let token = this.#stream.next(); token !== null; token = this.#stream.next()) {
      if (isBrace(token, "{")) depth++;
      else if (isBrace(token, "}") && --depth === 0) return { tokens, closed: true };
      tokens.push(token);
    }
    return { tokens, closed: false };
  }

  #neverClosed(opening: Token): void {
    this.#faults.at(opening, 'this block is never closed (add "}" on a line of its own)');
  }
}
