import { HEADER_SIZE, RCODE } from "../../dns/constants.ts";
import { formatName } from "../../dns/name.ts";
import { rcodeText, typeText } from "../../dns/mnemonics.ts";
import type { Exchange } from "../../engine/exchange/exchange.ts";
import type { CreateHandler, EngineServices, Handler, LogLevel } from "../../engine/handler.ts";
import type { Timer } from "../../engine/timers.ts";
import type { ConsolidateOptions, ErrorsOptions } from "./options.ts";
import { compilePattern } from "../pattern.ts";

/** Makes the handler of one `errors` directive. */
export const createErrors: CreateHandler<ErrorsOptions> = (options, { engine }) =>
  new ErrorsHandler(options, engine);

/** Logs what went wrong with a query, alone or counted over a while. */
class ErrorsHandler implements Handler {
  readonly name = "errors";
  readonly #engine: EngineServices;
  readonly #rules: Rule[];

  constructor(options: ErrorsOptions, engine: EngineServices) {
    this.#engine = engine;
    this.#rules = options.consolidate.map((rule) => new Rule(rule, engine));
  }

  response(exchange: Exchange): void {
    if (exchange.error === "") return;
    for (const rule of this.#rules) {
      if (!rule.matches(exchange.error)) continue;
      if (rule.count()) this.#log(rule.level, exchange);
      return;
    }
    this.#log("error", exchange);
  }

  #log(level: LogLevel, exchange: Exchange): void {
    const { error } = exchange;
    const rcode = exchange.response?.rcode ?? RCODE.SERVFAIL;
    const name = formatName(exchange.memory.bytes, exchange.offset + HEADER_SIZE).toLowerCase();
    const type = typeText(exchange.qtype);
    const line = `plugin/errors: ${rcode} ${name} ${type}: ${error}`;
    const fields = this.#engine.logsFields
      ? { plugin: "errors", rcode: rcodeText(rcode), name, type, error }
      : undefined;
    this.#engine.log(level, line, fields);
  }

  stop(): void {
    for (const rule of this.#rules) rule.stop();
  }
}

/** One `consolidate` option and what it has counted. */
class Rule {
  readonly level: ConsolidateOptions["level"];
  readonly matches: (text: string) => boolean;
  readonly #options: ConsolidateOptions;
  readonly #engine: EngineServices;
  readonly #timer: Timer;
  #count = 0;
  #stopped = false;

  constructor(options: ConsolidateOptions, engine: EngineServices) {
    this.#options = options;
    this.#engine = engine;
    this.level = options.level;
    this.matches = compilePattern(options.pattern).matches ?? (() => false);
    this.#timer = engine.timers.create(() => this.#summarize());
  }

  /** Counts an error; true if it is to be logged at once. */
  count(): boolean {
    // Queries that outlive their chain have nobody left to count for them.
    if (this.#stopped) return true;
    this.#count++;
    if (this.#count > 1) return false;
    this.#engine.timers.set(this.#timer, this.#engine.nowMs + this.#options.periodMs);
    return this.#options.showFirst;
  }

  stop(): void {
    this.#stopped = true;
    this.#engine.timers.clear(this.#timer);
    if (this.#count > 0) this.#summarize();
  }

  #summarize(): void {
    const count = this.#count;
    this.#count = 0;
    if (this.#options.showFirst && count < 2) return;
    const { pattern, periodMs } = this.#options;
    const text = `${count} errors like '${pattern}' occurred in last ${durationText(periodMs)}`;
    const fields = this.#engine.logsFields
      ? { plugin: "errors", count, pattern, period: periodMs / 1000 }
      : undefined;
    this.#engine.log(this.level, `plugin/errors: ${text}`, fields);
  }
}

/** A duration as Go prints it: `500ms`, `30s`, `5m0s`, `1h0m0s`. */
function durationText(milliseconds: number): string {
  if (milliseconds < 1000) return `${milliseconds}ms`;
  const hours = Math.floor(milliseconds / 3_600_000);
  const minutes = Math.floor(milliseconds / 60_000) % 60;
  const seconds = `${(milliseconds % 60_000) / 1000}s`;
  if (hours > 0) return `${hours}h${minutes}m${seconds}`;
  return minutes > 0 ? `${minutes}m${seconds}` : seconds;
}
