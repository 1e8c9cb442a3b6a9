import type { Backends, IptablesFault } from "../../node/rules/iptables.ts";
import type { Family } from "../../node/rules/rule_text.ts";
import type { RuleSet } from "../../node/rules/transaction.ts";
import { ownership } from "../../node/rules/transaction.ts";
import { type Check, type Finding, ok, problem, skipped, warning } from "./finding.ts";

const LOCK: Check = { id: "iptables-lock", title: "Lock of iptables" };

/** The rules of one family, or why they cannot be read. */
export type FamilyRules =
  & { readonly family: Family }
  & (
    | { readonly backends: Backends }
    | { readonly fault: IptablesFault; readonly message: string }
  );

const REMEDY: Record<IptablesFault, string> = {
  missing: "install iptables 1.8 or later where nodens runs (its image has it), or do without" +
    " rules (-setupiptables=false)",
  permission: "run the doctor, and nodens, as root with the capability NET_ADMIN",
  lock: "find who holds /run/xtables.lock (fuser /run/xtables.lock)",
  busy: "look again when the machine is less busy",
  other: "see what iptables-save says when it is run by hand",
};

/** Name of the commands of a family. */
export function programOf(family: Family): string {
  return family === 4 ? "iptables" : "ip6tables";
}

/** Whether there is an iptables of the kind that the node uses, and of that kind alone. */
export function judgeIptables(rules: FamilyRules, set: RuleSet): Finding {
  const { family } = rules;
  const program = programOf(family);
  const check: Check = { id: program, title: `${program} (IPv${family})` };
  if ("fault" in rules) return problem(check, rules.message, REMEDY[rules.fault]);
  const { used, other, reason } = rules.backends;
  const isOurs = ownership(set);
  const foreign = (other?.saved.rules ?? []).filter((rule) => !isOurs(rule));
  const count = used.saved.rules.length;
  const found = `${used.name}, because ${reason}; ${count} rule${count === 1 ? "" : "s"}`;
  if (other === null || foreign.length === 0) return ok(check, found);
  const command = `${program}-${other.name}-save`;
  return problem(
    check,
    `rules of both kinds at once: ${count} in ${used.name} (which nodens uses, because ${reason})` +
      ` and ${foreign.length} in ${other.name}, such as` +
      ` "-t ${foreign[0]!.table} -A ${foreign[0]!.chain} ${foreign[0]!.text}"; every packet meets` +
      " both",
    `see what they are (${command}); make whoever put them in use ${used.name} as well` +
      ` (update-alternatives --set ${program} …), and delete what is left in ${other.name}`,
  );
}

/** The file by which programs take turns at the rules. */
export interface LockFacts {
  readonly path: string;
  readonly exists: boolean;
  /** This process is in a container, and whether the file comes from outside of it. */
  readonly container: boolean;
  readonly mounted: boolean;
  readonly wantsRules: boolean;
  /** The kind of iptables that is used; null if it is not known. */
  readonly backend: "nft" | "legacy" | "default" | null;
}

/** Whether nodens takes turns with kube-proxy and others at the rules. */
export function judgeLock(facts: LockFacts): Finding {
  const { path, exists, container, mounted, wantsRules, backend } = facts;
  if (!wantsRules) return skipped(LOCK, "nodens makes no rules");
  if (backend === "nft") return ok(LOCK, "not needed: nft changes whole tables at a time");
  if (!container) return ok(LOCK, exists ? path : `${path} is made when it is first needed`);
  if (mounted) return ok(LOCK, `${path} is the host's`);
  return warning(
    LOCK,
    `${path} is not that of the host, so rules may be lost when two programs change them at a time`,
    "mount it into the container: a hostPath volume of the type FileOrCreate",
  );
}
