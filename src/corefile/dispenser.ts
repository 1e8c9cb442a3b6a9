import { CorefileError, type Place } from "./error.ts";
import type { Faults } from "./faults.ts";
import { quote } from "./quote.ts";
import type { Line } from "./token.ts";

/**
 * Hands out the words of one directive; a `setup.ts` reads its options with it.
 *
 * `eachUse` goes through the uses of the directive in its server block, `eachInBlock` through the
 * options of the use at hand. Both go on after a fault, so that all of them are reported, and take
 * words that nobody asked for as a fault.
 */
export class Dispenser {
  readonly #plugin: string;
  readonly #uses: readonly Line[];
  readonly #faults: Faults;
  #line: Line;
  #at = 0;
  #blockRead = false;
  #useLine: number;

  /** @param uses - every use of the directive in one server block, at least one */
  constructor(plugin: string, uses: readonly [Line, ...Line[]], faults: Faults) {
    this.#plugin = plugin;
    this.#uses = uses;
    this.#faults = faults;
    this.#line = uses[0];
    this.#useLine = uses[0].words[0].line;
  }

  /** Text of the word at hand. */
  get value(): string {
    return this.#line.words[this.#at]!.text;
  }

  /** Where the word at hand stands. */
  get place(): Place {
    return this.#line.words[this.#at]!;
  }

  /** Line on which the use of the directive at hand begins. */
  get directiveLine(): number {
    return this.#useLine;
  }

  /** Runs `read` for each use of the directive. */
  eachUse(read: () => void): void {
    for (const use of this.#uses) {
      this.#useLine = use.words[0].line;
      this.#readLine(use, read);
    }
  }

  /** As `eachUse` for directives that may stand in a server block once. */
  once(read: () => void): void {
    const [first, ...others] = this.#uses;
    this.#readLine(first!, read);
    const { file, line } = first!.words[0];
    for (const { words } of others) {
      const what = `it stands in this server block already, at ${file}:${line} (merge the two)`;
      this.#faults.add(new CorefileError(words[0], this.#plugin, what));
    }
  }

  /** Runs `read` for each option in the block of the directive, with its name. */
  eachInBlock(read: (option: string) => void): void {
    const line = this.#line;
    const at = this.#at;
    for (const option of line.block ?? []) this.#readLine(option, () => read(this.value));
    this.#line = line;
    this.#at = at;
    this.#blockRead = true;
  }

  /** Goes to the next word of this line; false at its end. */
  nextArg(): boolean {
    if (this.#at + 1 >= this.#line.words.length) return false;
    this.#at++;
    return true;
  }

  /** The rest of this line. */
  remainingArgs(): string[] {
    const args: string[] = [];
    while (this.nextArg()) args.push(this.value);
    return args;
  }

  /** The line's only argument. Throws where there is none or more than one. */
  oneArg(what: string): string {
    return this.someArgs(what, 1)[0]!;
  }

  /** The line's arguments, at least one and at most `most`. */
  someArgs(what: string, most = Infinity): string[] {
    const option = this.value;
    const args = this.remainingArgs();
    if (args.length === 0) {
      throw this.error(`${quote(option)} needs an argument (${option} ${what})`);
    }
    if (args.length > most) {
      throw this.error(
        `too many arguments for ${quote(option)}: ${quote(args[most]!)} (${option} ${what})`,
      );
    }
    return args;
  }

  /** Error at the word at hand. */
  error(what: string): CorefileError {
    return new CorefileError(this.place, this.#plugin, what);
  }

  #readLine(line: Line, read: () => void): void {
    this.#line = line;
    this.#at = 0;
    this.#blockRead = false;
    this.#faults.collect(() => {
      read();
      const { text } = line.words[0];
      if (this.nextArg()) {
        throw this.error(
          this.#at === 1
            ? `${quote(text)} takes no argument, but ${quote(this.value)} follows (leave it out)`
            : `too many arguments for ${quote(text)}: ${quote(this.value)} (leave it out)`,
        );
      }
      if (line.block !== null && !this.#blockRead) {
        throw this.error(`${quote(text)} takes no block (leave the braces out)`);
      }
    });
  }
}
