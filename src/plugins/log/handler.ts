import type { CreateHandler } from "../../engine/handler.ts";
import { ZoneTable } from "../../engine/question/zones.ts";
import { explainLog } from "./explain.ts";
import { type Answered, FIELDS, fieldText, kindOf } from "./fields.ts";
import type { LogOptions, LogPart } from "./setup.ts";

/** Logs responses selected by a rule. */
export const createLog: CreateHandler<LogOptions> = (options, { engine }) => {
  const rules = options.rules.map((rule) => ({
    ...rule,
    zones: new ZoneTable([[rule.zone, true]]),
  }));
  return {
    name: "log",
    response(exchange) {
      for (const { zones, classes, format } of rules) {
        if (zones.match(exchange) === null) continue;
        if (!classes.includes("all") && !classes.includes(kindOf(exchange, engine).class)) return;
        const answered: Answered = { exchange, response: exchange.response!, engine };
        let line = "";
        for (const part of format) {
          line += "text" in part ? part.text : fieldText(part.field, answered);
        }
        engine.log("info", line, engine.logsFields ? membersOf(format, answered) : undefined);
        return;
      }
    },
    explain: (exchange) => explainLog(rules.find(({ zones }) => zones.match(exchange) !== null)),
  };
};

/** Format values by placeholder, for JSON logs. */
function membersOf(
  format: readonly LogPart[],
  answered: Answered,
): Record<string, string | number | boolean> {
  const members: Record<string, string | number | boolean> = { plugin: "log" };
  for (const part of format) {
    if ("text" in part) continue;
    members[part.field.replace(/^[>/]/, "")] = FIELDS[part.field](answered);
  }
  return members;
}
