import { canonicalAddress } from "../../dns/address.ts";
import { findObstacles } from "../../node/rules/obstacles.ts";
import type { FailOpenLevel } from "../../node/rules/facts.ts";
import { ownership, planChanges, type RuleSet } from "../../node/rules/transaction.ts";
import { limited } from "./corefile.ts";
import { ok, problem, skipped, type Verdict, warning } from "./finding.ts";
import { type FamilyRules, programOf } from "./iptables.ts";
import type { Running } from "./listeners.ts";

/** Rules of one family. */
export interface RuleFacts {
  readonly rules: FamilyRules;
  readonly levels: readonly { readonly level: FailOpenLevel; readonly set: RuleSet }[];
  readonly running: Running;
  readonly failOpen: boolean;
}

const MAX_SHOWN = 5;
const LEVEL_TEXT: Record<FailOpenLevel, string> = {
  socket: "fail-open by heartbeat and socket",
  heartbeat: "fail-open by heartbeat",
  none: "without fail-open",
};

/** Level most like the present rules. */
export function levelOf(facts: Pick<RuleFacts, "rules" | "levels">): FailOpenLevel {
  return nearest(facts)?.level ?? "none";
}

function nearest({ rules, levels }: Pick<RuleFacts, "rules" | "levels">) {
  if ("fault" in rules) return undefined;
  const present = rules.backends.used.saved.rules;
  return levels.map((one) => ({ ...one, changes: planChanges(present, one.set) }))
    .toSorted((a, b) => a.changes.length - b.changes.length)[0];
}

/** Checks that nodens' rules are complete. */
export function judgeOwnRules(facts: RuleFacts): Verdict {
  const { rules, levels, running, failOpen } = facts;
  const present = nearest(facts);
  if ("fault" in rules || present === undefined) return unreadable(rules);
  const { used, other } = rules.backends;
  const { level, set, changes } = present;
  const isOurs = ownership(set);
  const count = used.saved.rules.filter(isOurs).length;
  const left = other?.saved.rules.filter(isOurs).length ?? 0;
  if (count === 0 && left === 0) {
    const wanted = levels[0]!.set.wanted.length;
    return running === "nodens" || running === "node-cache"
      ? problem(
        `none of the ${wanted} rules is there, though ${running} serves`,
        "see its log for errors of iptables; rules that another program flushed come back after" +
          " -syncinterval",
      )
      : ok(`none; nodens puts ${wanted} in once it answers`);
  }
  if (running === "node-cache") return ok(`${count} of node-cache, which nodens takes over`);
  if (running !== "nodens") {
    const more = left > 0 ? `, and ${left} in ${other!.name}` : "";
    return level === "none"
      ? warning(
        `${count} rules are in ${used.name}${more}, but nodens does not seem to serve: nobody` +
          " answers queries to these addresses",
        "start nodens, or remove the rules (they stay with -skipteardown, or after a SIGKILL)",
      )
      : ok(`${count} rules are left, ${LEVEL_TEXT[level]}: queries pass by them meanwhile`);
  }
  if (left > 0) {
    return warning(
      `${left} rules of nodens are left in ${other!.name}, beside ${count} in ${used.name}`,
      "nodens removes them at its next check (-syncinterval); if it cannot, its log says why",
    );
  }
  if (changes.length > 0) {
    const lines = changes.map(({ table, line }) =>
      `${line.startsWith("-D") ? "superfluous or misplaced" : "missing"}: -t ${table} ${line}`
    );
    return problem(
      [
        `${count} of ${set.wanted.length} rules are there, ${LEVEL_TEXT[level]}`,
        ...limited(lines, MAX_SHOWN),
      ].join("\n"),
      "nodens restores them after -syncinterval; if they disappear again, find the program that" +
        " flushes them (iptables-save before and after); if they never come, see nodens's log",
    );
  }
  const found = `${count}, ${LEVEL_TEXT[level]} (${used.name})`;
  if (level !== "none" || !failOpen) return ok(found);
  return warning(
    `${found}: while nodens does not answer, nobody does`,
    "see the check matches, and nodens's log at its start, for what the kernel lacks",
  );
}

/** Checks for foreign rules above ours. */
export function judgeForeignRules(facts: RuleFacts): Verdict {
  const { rules } = facts;
  const set = nearest(facts)?.set;
  if ("fault" in rules || set === undefined) return unreadable(rules);
  const { rules: present } = rules.backends.used.saved;
  const isOurs = ownership(set);
  if (!present.some(isOurs)) return skipped("nodens has no rules yet");
  const obstacles = findObstacles(present, set.wanted, isOurs);
  if (obstacles.length === 0) return ok("none takes our traffic for certain");
  return problem(
    obstacles.slice(0, MAX_SHOWN).map((text) => text.replace(/; move it below .*$/, "")).join("\n"),
    "move them below nodens's rules, or except its addresses from them; restarting nodens puts its" +
      " rules above all others",
  );
}

function unreadable({ family }: FamilyRules): Verdict {
  return skipped(`the rules cannot be read (see ${programOf(family)})`);
}

/** An entry of a list of `-m recent`. */
export interface BeatFacts {
  readonly list: string;
  readonly address: string;
  readonly texts: readonly [string | null, string | null];
}

/** Checks renewal of required entries (`asked`). */
export function judgeHeartbeat(
  beats: readonly BeatFacts[],
  { running, asked }: { running: Running; asked: boolean },
): Verdict {
  if (!asked) return skipped("the present rules require none");
  if (running !== "nodens") return skipped("nodens does not seem to serve");
  const wrong = beats.flatMap(({ list, address, texts: [first, second] }) => {
    const file = `/proc/net/xt_recent/${list}`;
    if (second === null) return [`there is no list ${file}, or it cannot be read`];
    const after = lastSeen(second, address);
    if (after === null) return [`${address} is not in ${file}`];
    return after === lastSeen(first, address) ? [`${address} in ${file} is not renewed`] : [];
  });
  if (wrong.length === 0) {
    return ok(`renewed for ${beats.map(({ address }) => address).join(", ")}`);
  }
  return problem(
    `${wrong.join("\n")}\nqueries of pods pass by nodens`,
    "see nodens's log for fail-open: it renews an entry only while that address answers, and if it" +
      " may write to the list",
  );
}

/** Last renewal, by the kernel's clock. */
export function lastSeen(text: string | null, address: string): string | null {
  for (const line of text?.split("\n") ?? []) {
    const match = /^src=(\S+) .*\blast_seen: (\d+)/.exec(line);
    if (match !== null && canonicalAddress(match[1]!) === canonicalAddress(address)) {
      return match[2]!;
    }
  }
  return null;
}
