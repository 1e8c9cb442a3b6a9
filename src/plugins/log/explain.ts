import type { Explanation } from "../../engine/explanation.ts";
import type { LogRule } from "./setup.ts";

/** Explains `log`; `rule` is the first that concerns the query. */
export function explainLog(rule: LogRule | undefined): Explanation {
  if (rule === undefined) {
    return { verdict: "passes", reason: "no rule is for this name and client" };
  }
  const { zones, classes, slowMs, sample, any = false } = rule;
  const conditions = [
    ...classes.length === 0 || classes.includes("all") ? [] : [`of class ${classes.join(", ")}`],
    ...slowMs === undefined ? [] : [`after ${slowMs} ms or more`],
    ...sample === undefined ? [] : [`as one of ${sample}`],
  ];
  const which = conditions.length === 0
    ? "every answer"
    : `an answer ${conditions.join(any ? ", or " : ", and ")}`;
  return { verdict: "acts", reason: `logs ${which} (zones ${zones.join(" ")})` };
}
