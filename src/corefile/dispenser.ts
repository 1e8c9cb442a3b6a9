import { CorefileError, type Faults, type Place } from "./error.ts";
import { unknownOption, unknownWord } from "./nearest.ts";
import type { Line } from "./parser.ts";
import { quote } from "./quote.ts";

/** One directive's words. Continues after faults; reports unread words. */
export class Dispenser {
  readonly #plugin: string;
  readonly #uses: readonly [Line, ...Line[]];
  readonly #faults: Faults;
  #line: Line;
  #at = 0;
  #blockRead = false;
  #use: Line;

  constructor(plugin: string, uses: readonly [Line, ...Line[]], faults: Faults) {
    this.#plugin = plugin;
    this.#uses = uses;
    this.#faults = faults;
    this.#line = this.#use = uses[0];
  }

  get value(): string {
    return this.#line.words[this.#at]!.text;
  }

  get place(): Place {
    return this.#line.words[this.#at]!;
  }

  get directiveLine(): number {
    return this.#use.words[0].line;
  }

  eachUse(read: () => void): void {
    for (const use of this.#uses) {
      this.#use = use;
      this.#readLine(use, read);
    }
  }

  /** As `eachUse`; a second use is a fault. */
  once(read: () => void): void {
    const [first, ...others] = this.#uses;
    this.#readLine(first, read);
    const { file, line } = first.words[0];
    for (const { words } of others) {
      const what = `already in this server block at ${file}:${line} (merge the two)`;
      this.#faults.at(words[0], what, this.#plugin);
    }
  }

  /** Calls `read` with each option name. */
  eachInBlock(read: (option: string) => void): void {
    const line = this.#line;
    const at = this.#at;
    for (const option of line.block ?? []) this.#readLine(option, () => read(this.value));
    this.#line = line;
    this.#at = at;
    this.#blockRead = true;
  }

  /** One reader per option; returns the number of options. */
  options(readers: Readonly<Record<string, (option: string) => void>>): number {
    let count = 0;
    this.eachInBlock((option) => {
      count++;
      if (!Object.hasOwn(readers, option)) {
        throw this.error(unknownOption(option, Object.keys(readers)));
      }
      readers[option]!(option);
    });
    return count;
  }

  someOptions(readers: Readonly<Record<string, (option: string) => void>>): void {
    if (this.options(readers) > 0) return;
    throw this.error(`it needs at least one option (${Object.keys(readers).join(", ")})`);
  }

  nextArg(): boolean {
    if (this.#at + 1 >= this.#line.words.length) return false;
    this.#at++;
    return true;
  }

  remainingArgs(): string[] {
    const args: string[] = [];
    while (this.nextArg()) args.push(this.value);
    return args;
  }

  /** The only argument. Throws `CorefileError`. */
  oneArg(what: string): string {
    return this.someArgs(what, 1)[0]!;
  }

  /** One to `most` arguments. Throws `CorefileError`. */
  someArgs(what: string, most = Infinity): [string, ...string[]] {
    const option = this.value;
    const args = this.remainingArgs();
    const [first, ...rest] = args;
    if (first === undefined) {
      throw this.error(`${quote(option)} needs an argument (${option} ${what})`);
    }
    if (args.length > most) {
      throw this.error(
        `too many arguments for ${quote(option)}: ${quote(args[most]!)} (${option} ${what})`,
      );
    }
    return [first, ...rest];
  }

  /** `text`, if it is a known word. Throws `CorefileError`. */
  choose<T extends string>(text: string, known: readonly T[], what: string): T {
    const found = known.find((one) => one === text);
    if (found === undefined) throw this.error(`${what} ${unknownWord(text, known)}`);
    return found;
  }

  error(what: string): CorefileError {
    return new CorefileError(this.place, this.#plugin, what);
  }

  #readLine(line: Line, read: () => void): void {
    this.#line = line;
    this.#at = 0;
    this.#blockRead = false;
    this.#faults.collect(() => {
      read();
      const text = quote(line.words[0].text);
      if (this.nextArg()) {
        throw this.error(
          this.#at === 1
            ? `${text} takes no argument, but ${quote(this.value)} follows (leave it out)`
            : `too many arguments for ${text}: ${quote(this.value)} (leave it out)`,
        );
      }
      if (line.block !== null && !this.#blockRead) {
        throw this.error(`${text} takes no block (leave the braces out)`);
      }
    });
  }
}
