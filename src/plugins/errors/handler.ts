import { HEADER_SIZE, RCODE } from "../../dns/constants.ts";
import { rcodeText, typeText } from "../../dns/mnemonics.ts";
import { formatName } from "../../dns/name.ts";
import type { CreateHandler, EngineServices } from "../../engine/handler.ts";
import { compilePattern } from "../pattern.ts";
import { explainErrors } from "./explain.ts";
import type { ConsolidateOptions, ErrorsOptions } from "./setup.ts";

/** Logs query errors. */
export const createErrors: CreateHandler<ErrorsOptions> = (options, { engine }) => {
  const rules = options.consolidate.map((options) => createRule(options, engine));
  return {
    name: "errors",
    passive: true,
    response({ error, errorQueries: queries, response, memory, offset, qtype }) {
      if (error === "") return;
      const rule = rules.find((rule) => rule.matches(error));
      if (rule !== undefined && !rule.count()) return;
      // The first waiter stands for all.
      if (queries === 0) return;
      const rcode = response?.rcode ?? RCODE.SERVFAIL;
      const name = formatName(memory.bytes, offset + HEADER_SIZE).toLowerCase();
      const type = typeText(qtype);
      const cost = queries > 1 ? ` (${queries} queries)` : "";
      const line = `plugin/errors: ${rcode} ${name} ${type}: ${error}${cost}`;
      const fields = engine.logsFields
        ? { plugin: "errors", rcode: rcodeText(rcode), name, type, error, queries }
        : undefined;
      engine.log(rule?.level ?? "error", line, fields);
    },
    explain: () => explainErrors(options),
    stop() {
      for (const rule of rules) rule.stop();
    },
  };
};

function createRule(options: ConsolidateOptions, engine: EngineServices) {
  const { pattern, periodMs, level, showFirst } = options;
  const { matches } = compilePattern(pattern);
  let count = 0;
  let stopped = false;
  const summarize = () => {
    const total = count;
    count = 0;
    if (showFirst && total < 2) return;
    const text = `${total} errors like '${pattern}' occurred in last ${durationText(periodMs)}`;
    const fields = engine.logsFields
      ? { plugin: "errors", count: total, pattern, period: periodMs / 1000 }
      : undefined;
    engine.log(level, `plugin/errors: ${text}`, fields);
  };
  const timer = engine.timers.create(summarize);
  return {
    level,
    matches,
    count(): boolean {
      // Queries may outlive chains.
      if (stopped) return true;
      if (++count > 1) return false;
      engine.timers.set(timer, engine.nowMs + periodMs);
      return showFirst;
    },
    stop(): void {
      stopped = true;
      engine.timers.clear(timer);
      if (count > 0) summarize();
    },
  };
}

/** In Go's format: `500ms`, `5m0s`. */
function durationText(milliseconds: number): string {
  if (milliseconds < 1000) return `${milliseconds}ms`;
  const hours = Math.floor(milliseconds / 3_600_000);
  const minutes = Math.floor(milliseconds / 60_000) % 60;
  const seconds = `${(milliseconds % 60_000) / 1000}s`;
  if (hours > 0) return `${hours}h${minutes}m${seconds}`;
  return minutes > 0 ? `${minutes}m${seconds}` : seconds;
}
