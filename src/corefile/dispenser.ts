import { CorefileError, type Place } from "./error.ts";
import type { Token } from "./lexer.ts";

/** Hands out the tokens of one directive, line by line; a `setup.ts` reads its options with it. */
export class Dispenser {
  readonly #plugin: string;
  readonly #tokens: readonly Token[];
  #at = -1;
  #inBlock = false;
  #directiveLine = 0;

  constructor(plugin: string, tokens: readonly Token[]) {
    this.#plugin = plugin;
    this.#tokens = tokens;
  }

  /** Text of the token at hand. */
  get value(): string {
    return this.#tokens[this.#at]?.text ?? "";
  }

  /** Where the token at hand stands. */
  get place(): Place {
    const token = this.#tokens[Math.max(0, Math.min(this.#at, this.#tokens.length - 1))];
    return token ?? { file: "", line: 0 };
  }

  /** Goes to the next use of the directive; false when there is none. */
  nextDirective(): boolean {
    if (this.#at + 1 >= this.#tokens.length) return false;
    this.#at++;
    this.#directiveLine = this.place.line;
    return true;
  }

  /** Line on which the use of the directive at hand begins. */
  get directiveLine(): number {
    return this.#directiveLine;
  }

  /** Goes to the next word of this line; false at its end and before a block. */
  nextArg(): boolean {
    const token = this.#tokens[this.#at];
    const next = this.#tokens[this.#at + 1];
    if (token === undefined || next === undefined) return false;
    if (next.file !== token.file || next.line !== token.endLine) return false;
    if (!next.quoted && (next.text === "{" || next.text === "}")) return false;
    this.#at++;
    return true;
  }

  /** The rest of this line. */
  remainingArgs(): string[] {
    const args: string[] = [];
    while (this.nextArg()) args.push(this.value);
    return args;
  }

  /** Goes to the next line of the directive's block, entering it first; false at its end. */
  nextInBlock(): boolean {
    if (!this.#inBlock) {
      const token = this.#tokens[this.#at];
      const next = this.#tokens[this.#at + 1];
      const opens = token !== undefined && next !== undefined && !next.quoted &&
        next.text === "{" && next.file === token.file && next.line === token.endLine;
      if (!opens) return false;
      this.#inBlock = true;
      this.#at++;
    }
    this.#at++;
    const token = this.#tokens[this.#at];
    if (token === undefined || (!token.quoted && token.text === "}")) {
      this.#inBlock = false;
      return false;
    }
    return true;
  }

  /** Runs `read` for each line of the block, then checks that it read the whole line. */
  eachInBlock(read: (option: string) => void): void {
    while (this.nextInBlock()) {
      const option = this.value;
      read(option);
      if (this.nextArg()) {
        throw this.error(`too many arguments for "${option}": "${this.value}" (take it away)`);
      }
    }
  }

  /** The line's only argument. Throws where there is none or more than one. */
  oneArg(what: string): string {
    const option = this.value;
    const args = this.remainingArgs();
    if (args.length !== 1) {
      throw this.error(`"${option}" takes one argument, not ${args.length} (${option} ${what})`);
    }
    return args[0]!;
  }

  /** The line's arguments, at least one. */
  someArgs(what: string): string[] {
    const option = this.value;
    const args = this.remainingArgs();
    if (args.length === 0) {
      throw this.error(`"${option}" needs an argument (${option} ${what})`);
    }
    return args;
  }

  /** Error at the token at hand. */
  error(what: string): CorefileError {
    return new CorefileError(this.place, this.#plugin, what);
  }
}
