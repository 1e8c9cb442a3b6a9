import { findObstacles } from "../../node/rules/obstacles.ts";
import type { FailOpenLevel } from "../../node/rules/rules.ts";
import { ownership, planChanges, type RuleSet } from "../../node/rules/transaction.ts";
import { type Check, type Finding, ok, problem, skipped, warning } from "./finding.ts";
import { type FamilyRules, programOf } from "./iptables.ts";
import type { Running } from "./listeners.ts";

/** The rules of one family beside what they are to be. */
export interface RuleFacts {
  readonly rules: FamilyRules;
  /** What nodens would have at each level of fail-open, the best one first. */
  readonly levels: readonly { readonly level: FailOpenLevel; readonly set: RuleSet }[];
  readonly running: Running;
  /** They were asked to be (`-failopen`), and there are addresses that it applies to. */
  readonly failOpen: boolean;
}

/** Most rules that are printed in full. */
const MAX_SHOWN = 5;
const LEVEL_TEXT: Record<FailOpenLevel, string> = {
  socket: "fail-open by heartbeat and socket",
  heartbeat: "fail-open by heartbeat",
  none: "without fail-open",
};

/** Whether nodens's rules are there, whole, and not kept from their traffic by others. */
export function judgeRules(facts: RuleFacts): Finding[] {
  const { rules } = facts;
  const suffix = rules.family === 4 ? "" : "6";
  const own: Check = { id: `rules${suffix}`, title: `Rules in ${programOf(rules.family)}` };
  const foreign: Check = { id: `foreign-rules${suffix}`, title: `Foreign rules above ours` };
  if ("fault" in rules) {
    const why = `the rules cannot be read (see ${programOf(rules.family)})`;
    return [skipped(own, why), skipped(foreign, why)];
  }
  return [judgeOwn(own, facts), judgeForeign(foreign, facts)];
}

/** The level that what is there is nearest to. */
export function levelOf({ rules, levels }: Pick<RuleFacts, "rules" | "levels">): FailOpenLevel {
  if ("fault" in rules || levels.length === 0) return "none";
  const present = rules.backends.used.saved.rules;
  let best = levels[0]!;
  let least = Infinity;
  for (const one of levels) {
    const changes = planChanges(present, one.set).length;
    if (changes < least) [best, least] = [one, changes];
  }
  return best.level;
}

function judgeOwn(check: Check, facts: RuleFacts): Finding {
  const { rules, levels, running, failOpen } = facts;
  if ("fault" in rules || levels.length === 0) return skipped(check, "nodens makes no rules");
  const { used, other } = rules.backends;
  const level = levelOf(facts);
  const { set } = levels.find((one) => one.level === level)!;
  const isOurs = ownership(set);
  const count = used.saved.rules.filter(isOurs).length;
  const left = other?.saved.rules.filter(isOurs) ?? [];
  const wanted = set.wanted.length;
  if (count === 0 && left.length === 0) {
    return running === "nodens" || running === "node-cache"
      ? problem(
        check,
        `none of the ${levels[0]!.set.wanted.length} rules is there, though ${running} serves`,
        "see its log for errors of iptables; rules that somebody flushed come back after" +
          " -syncinterval",
      )
      : ok(check, `none; nodens puts ${levels[0]!.set.wanted.length} in once it answers`);
  }
  const changes = planChanges(used.saved.rules, set);
  if (running === "node-cache") return ok(check, `${count} of node-cache, which nodens takes over`);
  if (running !== "nodens") {
    const what = left.length > 0 ? `, and ${left.length} in ${other!.name}` : "";
    return level === "none"
      ? warning(
        check,
        `${count} rules are in ${used.name}${what}, but nodens is not seen to serve: queries to` +
          " these addresses reach nobody",
        "start nodens, or take the rules out (they stay with -skipteardown, or after a SIGKILL)",
      )
      : ok(check, `${count} rules are left, ${LEVEL_TEXT[level]}: queries pass by them meanwhile`);
  }
  if (left.length > 0) {
    return warning(
      check,
      `${left.length} rules of nodens are left in ${other!.name}, beside ${count} in ${used.name}`,
      "nodens takes them out at its next look (-syncinterval); its log says why where it cannot",
    );
  }
  if (changes.length > 0) {
    const lines = changes.slice(0, MAX_SHOWN).map(({ table, line }) =>
      `${line.startsWith("-D") ? "too many or in the wrong place" : "missing"}: -t ${table} ${line}`
    );
    const more = changes.length - lines.length;
    return problem(
      check,
      [
        `${count} of ${wanted} rules are there, ${LEVEL_TEXT[level]}`,
        ...lines,
        ...(more > 0 ? [`and ${more} more`] : []),
      ].join("\n"),
      "nodens mends them after -syncinterval; where they go again, find who flushes them" +
        " (iptables-save before and after); where they never come, see nodens's log",
    );
  }
  const found = `${count}, ${LEVEL_TEXT[level]} (${used.name})`;
  if (level === "none" && failOpen) {
    return warning(
      check,
      `${found}: while nodens does not answer, nobody does`,
      "see the check matches, and nodens's log at its start, for what the kernel lacks",
    );
  }
  return ok(check, found);
}

function judgeForeign(check: Check, facts: RuleFacts): Finding {
  const { rules, levels } = facts;
  if ("fault" in rules || levels.length === 0) return skipped(check, "nodens makes no rules");
  const level = levelOf(facts);
  const { set } = levels.find((one) => one.level === level)!;
  const { rules: present } = rules.backends.used.saved;
  const isOurs = ownership(set);
  if (!present.some(isOurs)) return skipped(check, "there are no rules of nodens to stand above");
  const obstacles = findObstacles(present, set.wanted, isOurs);
  if (obstacles.length === 0) return ok(check, "none takes our traffic for certain");
  return problem(
    check,
    obstacles.slice(0, MAX_SHOWN).map((text) => text.replace(/; move it below .*$/, "")).join("\n"),
    "move them below nodens's rules, or except its addresses from them; restarting nodens puts its" +
      " rules above all others",
  );
}
