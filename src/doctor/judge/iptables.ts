import type { BackendName, Backends, IptablesFault } from "../../node/rules/iptables.ts";
import type { Family } from "../../node/rules/rule_text.ts";
import { ownership, type RuleSet } from "../../node/rules/transaction.ts";
import { ok, problem, skipped, type Verdict, warning } from "./finding.ts";

/** Rules, or why they are unreadable. */
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
  lock: "find the holder of /run/xtables.lock (fuser /run/xtables.lock)",
  busy: "run the doctor again when the machine is less busy",
  other: "run iptables-save by hand to see what fails",
};

/** Command of a family. */
export function programOf(family: Family): string {
  return family === 4 ? "iptables" : "ip6tables";
}

/** Checks that one iptables is in use. */
export function judgeIptables(rules: FamilyRules, set: RuleSet): Verdict {
  if ("fault" in rules) return problem(rules.message, REMEDY[rules.fault]);
  const program = programOf(rules.family);
  const { used, other, reason } = rules.backends;
  const isOurs = ownership(set);
  const foreign = (other?.saved.rules ?? []).filter((rule) => !isOurs(rule));
  const count = used.saved.rules.length;
  if (other === null || foreign.length === 0) {
    return ok(`${used.name}, because ${reason}; ${count} rule${count === 1 ? "" : "s"}`);
  }
  const { table, chain, text } = foreign[0]!;
  return problem(
    `rules of both kinds at once: ${count} in ${used.name} (which nodens uses, because ${reason})` +
      ` and ${foreign.length} in ${other.name}, such as "-t ${table} -A ${chain} ${text}"; both` +
      " see every packet",
    `list them (${program}-${other.name}-save); make the program that installed them use` +
      ` ${used.name} as well (update-alternatives --set ${program} …), and delete the rest in` +
      ` ${other.name}`,
  );
}

/** The lock file of iptables. */
export interface LockFacts {
  readonly path: string;
  readonly exists: boolean;
  readonly container: boolean;
  readonly mounted: boolean;
  readonly wantsRules: boolean;
  readonly backend: BackendName | null;
}

/** Checks that the lock is shared with kube-proxy. */
export function judgeLock(facts: LockFacts): Verdict {
  const { path, exists, container, mounted, wantsRules, backend } = facts;
  if (!wantsRules) return skipped("nodens makes no rules");
  if (backend === "nft") return ok("not needed: nft changes whole tables at a time");
  if (!container) return ok(exists ? path : `${path} is made when it is first needed`);
  if (mounted) return ok(`${path} is the host's`);
  return warning(
    `${path} is not that of the host, so two programs that change rules at once may lose some`,
    "mount it into the container: a hostPath volume of the type FileOrCreate",
  );
}

/** Matches of one family. */
export interface MatchFacts {
  readonly loaded: readonly string[] | null;
  readonly modules: readonly string[] | null;
  readonly test: { readonly accepted: boolean; readonly said: string } | null;
  readonly failOpen: boolean;
}

/** Checks for the required matches. */
export function judgeMatches({ failOpen, test, loaded, modules }: MatchFacts): Verdict {
  const needed = failOpen ? ["comment", "recent", "socket"] : ["comment"];
  if (test?.accepted === true) {
    return ok(`${needed.join(", ")}: the rules are accepted (tried, not installed)`);
  }
  const unloaded = needed.filter((name) => !loaded?.includes(name));
  const missing = unloaded.filter((name) => !modules?.includes(name));
  const isAbsent = (name: string) => loaded !== null && modules !== null && missing.includes(name);
  const said = test === null ? "" : `; iptables says: ${test.said}`;
  if (isAbsent("comment")) {
    return problem(
      `the kernel has no match "comment", which all rules have${said}`,
      "use a kernel with CONFIG_NETFILTER_XT_MATCH_COMMENT, or -setupiptables=false",
    );
  }
  if (isAbsent("recent")) {
    return warning(
      `the kernel has no match "recent": no fail-open, so while nodens does not answer, nobody` +
        ` does, as with node-cache${said}`,
      "use a kernel with CONFIG_NETFILTER_XT_MATCH_RECENT (module xt_recent)",
    );
  }
  if (isAbsent("socket")) {
    return warning(
      `the kernel has no match "socket": a crash is noticed within two seconds instead of at` +
        ` once${said}`,
      "use a kernel with CONFIG_NETFILTER_XT_MATCH_SOCKET (module xt_socket)",
    );
  }
  if (test !== null) {
    return warning(
      `the kernel refuses the rules${said}`,
      "nodens falls back to simpler rules and says so in its log; see docs/node.md",
    );
  }
  if (missing.length > 0) {
    return skipped(
      `not known whether the kernel has ${missing.join(", ")}; trying it would load modules,` +
        " which nodens does when it starts",
    );
  }
  const names = needed.map((name) =>
    unloaded.includes(name) ? `${name} (a module, not loaded)` : name
  );
  return ok(names.join(", "));
}
