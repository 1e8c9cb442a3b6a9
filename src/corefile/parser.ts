import { CorefileError, CorefileErrors, type Place } from "./error.ts";
import { lex, type Token } from "./lexer.ts";

/** A server block: its keys, and the directives in the order in which they are written. */
export interface ServerBlock {
  keys: Token[];
  directives: { name: string; tokens: Token[] }[];
}

/** What a Corefile may ask of the machine while it is read. */
export interface ParserHost {
  env(name: string): string | undefined;
  readTextFile(path: string): string;
  kindOf(path: string): "file" | "directory" | null;
  readDirectory(path: string): string[];
}

/** Everything that a Corefile holds. */
export interface ParsedCorefile {
  blocks: ServerBlock[];
  /** Files that were imported. */
  imports: string[];
  warnings: string[];
  errors: CorefileError[];
}

/** Imports that one Corefile may expand to, nested ones included: a cycle ends here at the latest. */
const MAX_IMPORTS = 1000;
const MAX_DEPTH = 32;
/** Words that one Corefile may expand to. */
const MAX_TOKENS = 1_000_000;

/**
 * Reads a Corefile into server blocks: snippets and imports expanded, environment filled in.
 *
 * Never throws for what the text holds: faults are collected, so that one run shows them all.
 */
export function parseCorefile(text: string, file: string, host: ParserHost): ParsedCorefile {
  return new Parser(host).parse(text, file);
}

/** As `parseCorefile`, but throws `CorefileErrors` where there is any fault. */
export function parseCorefileStrictly(
  text: string,
  file: string,
  host: ParserHost,
): ParsedCorefile {
  const parsed = parseCorefile(text, file, host);
  if (parsed.errors.length > 0) throw new CorefileErrors(parsed.errors);
  return parsed;
}

class Parser {
  readonly #host: ParserHost;
  readonly #snippets = new Map<string, Token[]>();
  readonly #result: ParsedCorefile = { blocks: [], imports: [], warnings: [], errors: [] };
  #imports = 0;
  #expanded = 0;

  constructor(host: ParserHost) {
    this.#host = host;
  }

  parse(text: string, file: string): ParsedCorefile {
    let tokens = lex(text, file);
    for (let at = 0; at < tokens.length;) {
      try {
        if (isImport(tokens, at)) {
          const replaced = this.#expand(tokens[at]!, this.#importArgument(tokens, at), []);
          tokens = [...replaced, ...tokens.slice(at + 2)];
          at = 0;
          continue;
        }
        at = this.#block(tokens, at);
      } catch (error) {
        if (!(error instanceof CorefileError)) throw error;
        this.#result.errors.push(error);
        at = skipBlock(tokens, at);
      }
    }
    return this.#result;
  }

  #block(tokens: Token[], start: number): number {
    const first = tokens[start]!;
    if (isBrace(first, "}")) {
      throw new CorefileError(first, "", 'unexpected "}" (no block is open here)');
    }
    const keys: Token[] = [];
    let at = start;
    let expectMore = false;
    for (; at < tokens.length; at++) {
      const token = tokens[at]!;
      if (isBrace(token, "{")) {
        if (expectMore) {
          throw new CorefileError(
            token,
            "",
            'expected another zone after "," (take the comma away)',
          );
        }
        break;
      }
      if (at > start && !expectMore && startsLine(tokens, at)) break;
      let text = this.#fill(token.text);
      expectMore = text.endsWith(",");
      if (expectMore) text = text.slice(0, -1);
      if (text !== "") keys.push({ ...token, text });
    }
    if (expectMore && at >= tokens.length) {
      throw new CorefileError(first, "", 'the file ends where a zone should follow ","');
    }
    if (keys.length === 0) {
      throw new CorefileError(first, "", 'a server block needs a zone before "{" (like ". {")');
    }
    const opened = at < tokens.length && isBrace(tokens[at]!, "{");
    const name = /^\((.*)\)$/.exec(keys[0]!.text)?.[1];
    if (keys.length === 1 && name !== undefined) return this.#snippet(tokens, at, name, opened);
    const block: ServerBlock = { keys, directives: [] };
    // Registered first, so that a fault inside does not hide the block's own keys.
    this.#result.blocks.push(block);
    const end = opened ? closing(tokens, at) : tokens.length;
    if (opened && end < 0) {
      this.#directives(tokens.slice(at + 1), block);
      throw new CorefileError(tokens[at]!, "", 'this "{" is never closed (add "}")');
    }
    this.#directives(tokens.slice(opened ? at + 1 : at, end), block);
    return opened ? end + 1 : end;
  }

  #snippet(tokens: Token[], at: number, name: string, opened: boolean): number {
    const place = tokens[Math.min(at, tokens.length - 1)]!;
    if (!opened) {
      throw new CorefileError(place, "", `snippet "${name}" needs a block ((${name}) { … })`);
    }
    const end = closing(tokens, at);
    if (end < 0) throw new CorefileError(place, "", 'this "{" is never closed (add "}")');
    if (this.#snippets.has(name)) {
      this.#result.errors.push(
        new CorefileError(place, "", `snippet "${name}" is defined twice (rename one)`),
      );
    }
    this.#snippets.set(name, tokens.slice(at + 1, end));
    return end + 1;
  }

  #directives(source: Token[], block: ServerBlock): void {
    let tokens = source;
    for (let at = 0; at < tokens.length;) {
      const token = tokens[at]!;
      try {
        if (isImport(tokens, at)) {
          const replaced = this.#expand(token, this.#importArgument(tokens, at), []);
          tokens = [...replaced, ...tokens.slice(at + 2)];
          at = 0;
          continue;
        }
        if (isBrace(token, "{")) {
          throw new CorefileError(token, "", 'unexpected "{" (a directive stands before it)');
        }
        const end = this.#directiveEnd(tokens, at);
        const own = this.#withImports(tokens.slice(at, end));
        const filled = own.map((word) => ({ ...word, text: this.#fill(word.text) }));
        block.directives.push({ name: filled[0]!.text, tokens: filled });
        at = end;
      } catch (error) {
        if (!(error instanceof CorefileError)) throw error;
        this.#result.errors.push(error);
        at++;
        while (at < tokens.length && !startsLine(tokens, at)) at++;
      }
    }
  }

  /** Where the directive at `at` ends: with its line, or with the block that opens on it. */
  #directiveEnd(tokens: Token[], at: number): number {
    let end = at + 1;
    while (end < tokens.length && !startsLine(tokens, end)) {
      if (isBrace(tokens[end]!, "{")) {
        const close = closing(tokens, end);
        if (close < 0) {
          throw new CorefileError(tokens[end]!, "", 'this "{" is never closed (add "}")');
        }
        return close + 1;
      }
      if (isBrace(tokens[end]!, "}")) {
        throw new CorefileError(tokens[end]!, "", 'unexpected "}" (no block is open here)');
      }
      end++;
    }
    return end;
  }

  /** Expands imports that stand inside a directive's block. */
  #withImports(tokens: Token[]): Token[] {
    let own = tokens;
    for (let at = 1; at < own.length; at++) {
      if (!isImport(own, at)) continue;
      const replaced = this.#expand(own[at]!, this.#importArgument(own, at), []);
      own = [...own.slice(0, at), ...replaced, ...own.slice(at + 2)];
      at--;
    }
    return own;
  }

  #importArgument(tokens: Token[], at: number): string {
    const place = tokens[at]!;
    const argument = tokens[at + 1];
    if (argument === undefined || startsLine(tokens, at + 1)) {
      throw new CorefileError(place, "", "import needs a snippet, file or pattern (import NAME)");
    }
    const extra = tokens[at + 2];
    if (extra !== undefined && !startsLine(tokens, at + 2) && !isBrace(extra, "}")) {
      throw new CorefileError(place, "", `import takes one argument ("${extra.text}" is too much)`);
    }
    return this.#fill(argument.text);
  }

  /** Tokens of a snippet, a file, or the files that a pattern matches; imports in them expanded. */
  #expand(place: Place, name: string, trail: readonly string[]): Token[] {
    if (name === "") throw new CorefileError(place, "", "import needs a name that is not empty");
    if (++this.#imports > MAX_IMPORTS || trail.length > MAX_DEPTH) {
      throw new CorefileError(place, "", `more than ${MAX_IMPORTS} imports (is there a cycle?)`);
    }
    const snippet = this.#snippets.get(name);
    if (snippet !== undefined) return this.#nested(place, `(${name})`, snippet, trail);
    const files = this.#matches(place, name);
    return files.flatMap((file) => {
      let text: string;
      try {
        text = this.#host.readTextFile(file);
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        throw new CorefileError(place, "", `Cannot import "${file}": ${why}`);
      }
      if (!this.#result.imports.includes(file)) this.#result.imports.push(file);
      return this.#nested(place, file, lex(text, file), trail);
    });
  }

  #nested(place: Place, name: string, tokens: Token[], trail: readonly string[]): Token[] {
    if (trail.includes(name)) {
      const way = [...trail, name].join(" → ");
      throw new CorefileError(place, "", `import cycle: ${way} (take one of them away)`);
    }
    this.#expanded += tokens.length;
    if (this.#expanded > MAX_TOKENS) {
      throw new CorefileError(place, "", `imports expand to more than ${MAX_TOKENS} words`);
    }
    const result: Token[] = [];
    // Line numbers inside stay those of the snippet or file; that is where a fault has to be mended.
    for (let at = 0; at < tokens.length; at++) {
      if (isImport(tokens, at)) {
        const argument = this.#importArgument(tokens, at);
        for (const token of this.#expand(tokens[at]!, argument, [...trail, name])) {
          result.push(token);
        }
        at++;
      } else {
        result.push(tokens[at]!);
      }
    }
    return result;
  }

  #matches(place: Place, pattern: string): string[] {
    const slash = place.file.lastIndexOf("/");
    const path = pattern.startsWith("/") || slash < 0
      ? pattern
      : `${place.file.slice(0, slash + 1)}${pattern}`;
    if (!/[*?[\]]/.test(path)) {
      const kind = this.#host.kindOf(path);
      if (kind === "file") return [path];
      const why = kind === "directory" ? "it is a directory" : "no such snippet or file";
      throw new CorefileError(place, "", `Cannot import "${pattern}": ${why}`);
    }
    if (
      (path.match(/\*/g)?.length ?? 0) > 1 || (path.match(/\?/g)?.length ?? 0) > 1 ||
      /\[.*\]/.test(path)
    ) {
      throw new CorefileError(place, "", `import pattern "${pattern}" may have one wildcard only`);
    }
    const cut = path.lastIndexOf("/");
    const folder = cut < 0 ? "." : cut === 0 ? "/" : path.slice(0, cut);
    const escaped = path.slice(cut + 1).replace(/[.+^${}()|[\]\\]/g, "\\$&");
    const expression = new RegExp(`^${escaped.replace("*", "[^/]*").replace("?", "[^/]")}$`);
    const names = this.#host.readDirectory(folder).filter((name) =>
      expression.test(name) && this.#host.kindOf(`${folder}/${name}`) === "file"
    );
    if (names.length === 0) {
      this.#result.warnings.push(
        `${place.file}:${place.line}: no file matches the import pattern "${pattern}"`,
      );
    }
    return names.sort().map((name) => `${folder}/${name}`);
  }

  /** Fills in `{$NAME}` and `{%NAME%}`; a variable that is not set is empty, as in CoreDNS. */
  #fill(text: string): string {
    if (!text.includes("{")) return text;
    return text
      .replace(/\{%([^%{}]+)%\}/g, (_, name: string) => this.#host.env(name) ?? "")
      .replace(/\{\$([^{}]+)\}/g, (_, name: string) => this.#host.env(name) ?? "");
  }
}

function isBrace(token: Token, text: "{" | "}"): boolean {
  return !token.quoted && token.text === text;
}

/** Whether the token is the first on its line, or the first that an import brought. */
function startsLine(tokens: readonly Token[], at: number): boolean {
  const before = tokens[at - 1];
  const token = tokens[at]!;
  return before === undefined || before.file !== token.file || before.endLine !== token.line;
}

function isImport(tokens: readonly Token[], at: number): boolean {
  const token = tokens[at]!;
  return token.text === "import" && !token.quoted && startsLine(tokens, at);
}

/** Index of the brace that closes the one at `at`, or -1. */
function closing(tokens: readonly Token[], at: number): number {
  let depth = 0;
  for (let i = at; i < tokens.length; i++) {
    if (isBrace(tokens[i]!, "{")) depth++;
    else if (isBrace(tokens[i]!, "}") && --depth === 0) return i;
  }
  return -1;
}

/** Where to go on after a fault: behind the block that begins at or after `at`. */
function skipBlock(tokens: readonly Token[], at: number): number {
  for (let i = at; i < tokens.length; i++) {
    if (isBrace(tokens[i]!, "{")) {
      const end = closing(tokens, i);
      return end < 0 ? tokens.length : end + 1;
    }
    if (isBrace(tokens[i]!, "}")) return i + 1;
  }
  return tokens.length;
}
