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
  /** Null without braces. */
  block: Line[] | null;
}

/** A server block. */
export interface ServerBlock extends Place {
  /** As written, with environment variables replaced; at least one. */
  keys: Token[];
  lines: Line[];
}

/** Continues after faults; `files` are the absolute paths of imports. */
export function parseCorefile(
  source: { file: string; text: string; view: ImportView },
  faults: Faults,
): { blocks: ServerBlock[]; files: string[] } {
  const stream = new TokenStream(source, faults);
  const blocks: ServerBlock[] = [];
  while (stream.peek() !== null) {
    const keys: Token[] = [];
    const opening = readKeys(stream, keys);
    const [key] = keys;
    if (key !== undefined && keys.length === 1 && /^\(.*\)$/s.test(key.text) && !key.quoted) {
      readSnippet(stream, key, opening);
      continue;
    }
    if (key === undefined && opening === null) continue;
    if (key === undefined) {
      stream.fault(opening!, "a server block needs a zone before its brace (. for every name)");
    }
    const lines = readLines(stream, opening, 0);
    if (key !== undefined) blocks.push({ file: key.file, line: key.line, keys, lines });
  }
  return { blocks, files: stream.files };
}

/** Opening brace, or null. */
function readKeys(stream: TokenStream, keys: Token[]): Token | null {
  let comma: Token | null = null;
  let some = false;
  for (let token = stream.peek(); token !== null; token = stream.peek()) {
    if (isBrace(token, "{")) break;
    if (some && comma === null && token.first) return null;
    stream.next();
    if (token.first && token.text === "import" && !token.quoted) {
      stream.import(token);
      continue;
    }
    if (isBrace(token, "}")) {
      stream.fault(token, 'unexpected "}": no block is open');
      continue;
    }
    some = true;
    let text = stream.expand(token);
    if (text === "") continue;
    comma = text.endsWith(",") ? token : null;
    if (comma !== null) text = text.slice(0, -1);
    const attached = text.length > 1 && text.endsWith("{") && !token.quoted;
    if (attached) {
      text = text.slice(0, -1);
      stream.fault(token, `a space is missing before "{" in ${quote(token.text)}`);
    }
    if (text === "") stream.fault(token, "a zone is missing before the comma");
    else keys.push({ ...token, text });
    if (attached) return token;
  }
  if (comma !== null) stream.fault(comma, "a zone is missing after the comma");
  return stream.next();
}

function readSnippet(stream: TokenStream, key: Token, opening: Token | null): void {
  const name = key.text.slice(1, -1);
  if (opening === null) {
    return stream.fault(key, `snippet ${key.text} needs a block: ${key.text} { … }`);
  }
  const { tokens, closed } = takeBlock(stream);
  if (!closed) neverClosed(stream, opening);
  const before = stream.snippetPlace(name);
  if (name === "") {
    stream.fault(key, "a snippet needs a name between its brackets");
  } else if (before !== null) {
    const what = `snippet ${key.text} is already defined at ${before.file}:${before.line}`;
    stream.fault(key, `${what} (rename one of them)`);
  } else {
    stream.define(name, key, tokens);
  }
}

/** Reads lines up to the closing brace, or to the end without an opening one. */
function readLines(stream: TokenStream, opening: Token | null, depth: number): Line[] {
  const lines: Line[] = [];
  for (let token = stream.peek(); token !== null; token = stream.peek()) {
    if (isBrace(token, "}")) {
      stream.next();
      if (opening !== null) return lines;
      stream.fault(token, 'unexpected "}": no block is open');
    } else if (isBrace(token, "{")) {
      stream.next();
      stream.fault(token, 'unexpected "{": it must end the line of its directive');
      readBlock(stream, token, depth);
    } else if (token.text === "import" && !token.quoted) {
      stream.next();
      stream.import(token);
    } else {
      lines.push(readLine(stream, depth));
    }
  }
  if (opening !== null) neverClosed(stream, opening);
  return lines;
}

function readLine(stream: TokenStream, depth: number): Line {
  const words: Line["words"] = [takeWord(stream)];
  for (let token = stream.peek(); token !== null; token = stream.peek()) {
    if (token.first) break;
    if (isBrace(token, "}")) {
      // A server block may not end on the line of its last option.
      if (depth === 0) stream.fault(token, CLOSE_ALONE);
      break;
    }
    if (isBrace(token, "{")) {
      stream.next();
      return { words, block: readBlock(stream, token, depth) };
    }
    const word = takeWord(stream);
    if (token.text !== "{}" || token.quoted) words.push(word);
    else {
      const remedy = 'put "}" on a line of its own, or leave both out';
      stream.fault(token, `"{}" is not a block (${remedy})`);
    }
  }
  return { words, block: null };
}

function takeWord(stream: TokenStream): Token {
  const token = stream.next()!;
  return { ...token, text: stream.expand(token) };
}

function readBlock(stream: TokenStream, opening: Token, depth: number): Line[] {
  let lines: Line[] = [];
  if (depth < MAX_NESTING) {
    lines = readLines(stream, opening, depth + 1);
  } else {
    stream.fault(opening, `blocks are nested more than ${MAX_NESTING} deep`);
    takeBlock(stream);
  }
  const token = stream.peek();
  if (token === null || token.first) return lines;
  if (!isBrace(token, "}")) {
    stream.fault(token, `unexpected ${quote(token.text)} after "}" (begin a new line)`);
    stream.skipLine();
  } else if (depth === 0) {
    stream.fault(token, CLOSE_ALONE);
  }
  return lines;
}

function takeBlock(stream: TokenStream): { tokens: Token[]; closed: boolean } {
  const tokens: Token[] = [];
  let depth = 1;
  for (let token = stream.next(); token !== null; token = stream.next()) {
    if (isBrace(token, "{")) depth++;
    else if (isBrace(token, "}") && --depth === 0) return { tokens, closed: true };
    tokens.push(token);
  }
  return { tokens, closed: false };
}

function neverClosed(stream: TokenStream, opening: Token): void {
  stream.fault(opening, 'this block is never closed (add "}" on a line of its own)');
}
