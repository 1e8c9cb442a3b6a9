import { HEADER_SIZE, RCODE } from "../../dns/constants.ts";
import { rcodeText, typeText } from "../../dns/mnemonics.ts";
import { formatName } from "../../dns/name.ts";
import type { CreateHandler, EngineServices } from "../../engine/handler.ts";
import type { Timer } from "../../engine/timers.ts";
import { compilePattern } from "../pattern.ts";
import type { ConsolidateOptions, ErrorsOptions } from "./setup.ts";

/** Logs errors of queries, one by one or consolidated. */
export const createErrors: CreateHandler<ErrorsOptions> = ({ consolidate }, { engine }) => {
  const rules = consolidate.map((options) => new Rule(options, engine));
  return {
    name: "errors",
    response({ error, response, memory, offset, qtype }) {
      if (error === "") return;
      const rule = rules.find((rule) => rule.matches(error));
      if (rule !== undefined && !rule.count()) return;
      const rcode = response?.rcode ?? RCODE.SERVFAIL;
      const name = formatName(memory.bytes, offset + HEADER_SIZE).toLowerCase();
      const type = typeText(qtype);
      const line = `plugin/errors: ${rcode} ${name} ${type}: ${error}`;
      const fields = engine.logsFields
        ? { plugin: "errors", rcode: rcodeText(rcode), name, type, error }
        : undefined;
      engine.log(rule?.level ?? "error", line, fields);
    },
    stop() {
      for (const rule of rules) rule.stop();
    },
  };
};

/** A `consolidate` option with its count. */
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

  /** Counts an error; returns whether to log it now. */
  count(): boolean {
    // Queries may outlive their chain.
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
    const { pattern, periodMs, showFirst } = this.#options;
    if (showFirst && count < 2) return;
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
