import type { Explanation } from "../../engine/explanation.ts";
import type { LogOptions } from "./setup.ts";

/** Tells what `log` does with a query; `rule` is the first whose zone holds the name. */
export function explainLog(rule: LogOptions["rules"][number] | undefined): Explanation {
  if (rule === undefined) return { verdict: "passes", reason: "the name is in none of its zones" };
  const { zone, classes } = rule;
  const which = classes.includes("all") ? "every answer" : `answers of class ${classes.join(", ")}`;
  return { verdict: "acts", reason: `logs ${which} (zone ${zone})` };
}
