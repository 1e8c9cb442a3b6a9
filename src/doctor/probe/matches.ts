import type { Family } from "../../node/rules/rule_text.ts";
import { type Check, type Finding, ok, problem, skipped, warning } from "../judge/finding.ts";
import { programOf } from "../judge/iptables.ts";

/** What the kernel has for rules of one family. */
export interface MatchFacts {
  readonly family: Family;
  /** Matches that are there now (/proc/net/ip_tables_matches); null if that cannot be read. */
  readonly loaded: readonly string[] | null;
  /** Matches that the kernel's modules would bring; null if the modules cannot be seen. */
  readonly modules: readonly string[] | null;
  /** What `iptables-restore --test` said to the very rules; null if that left traces, or nobody asked. */
  readonly test: { readonly accepted: boolean; readonly said: string } | null;
  /** Rules ask for a heartbeat. */
  readonly failOpen: boolean;
}

/** Whether the kernel has the matches that nodens's rules need. */
export function judgeMatches(facts: MatchFacts): Finding {
  const { family, failOpen, test, loaded, modules } = facts;
  const check: Check = {
    id: family === 4 ? "matches" : "matches6",
    title: `Kernel: matches of ${programOf(family)}`,
  };
  const needed = failOpen ? ["comment", "recent", "socket"] : ["comment"];
  if (test?.accepted === true) {
    return ok(check, `${needed.join(", ")}: the rules are accepted (tried, not put in)`);
  }
  const state = (name: string) =>
    loaded?.includes(name)
      ? "there"
      : modules?.includes(name)
      ? "module"
      : loaded !== null && modules !== null
      ? "absent"
      : "unknown";
  const states = needed.map((name) => ({ name, state: state(name) }));
  const absent = states.filter(({ state }) => state === "absent").map(({ name }) => name);
  const said = test === null ? "" : `; iptables says: ${test.said}`;
  if (absent.includes("comment")) {
    return problem(
      check,
      `the kernel has no match "comment", which all rules have${said}`,
      "use a kernel with CONFIG_NETFILTER_XT_MATCH_COMMENT, or -setupiptables=false",
    );
  }
  if (absent.includes("recent")) {
    return warning(
      check,
      `the kernel has no match "recent": no fail-open, so while nodens does not answer, nobody` +
        ` does, as with node-cache${said}`,
      "use a kernel with CONFIG_NETFILTER_XT_MATCH_RECENT (module xt_recent)",
    );
  }
  if (absent.includes("socket")) {
    return warning(
      check,
      `the kernel has no match "socket": a crash is noticed within two seconds and not at once` +
        said,
      "use a kernel with CONFIG_NETFILTER_XT_MATCH_SOCKET (module xt_socket)",
    );
  }
  const unknown = states.filter(({ state }) => state === "unknown").map(({ name }) => name);
  if (test !== null) {
    return warning(
      check,
      `the kernel does not take the rules as they would be${said}`,
      "nodens falls back to simpler rules and says so in its log; see docs/node.md",
    );
  }
  if (unknown.length > 0) {
    return skipped(
      check,
      `not known whether the kernel has ${
        unknown.join(", ")
      }; trying it would load modules, which` +
        " nodens does when it starts",
    );
  }
  return ok(
    check,
    states.map(({ name, state }) => state === "there" ? name : `${name} (a module, not loaded)`)
      .join(", "),
  );
}

/** Matches out of the names of kernel modules: xt_recent, ipt_ah, ip6t_rt. */
export function matchesOfModules(names: Iterable<string>): string[] {
  const found = new Set<string>();
  for (const name of names) {
    const match = /^(?:xt|ipt|ip6t)_([a-z0-9]+)$/.exec(name.replaceAll("-", "_"))?.[1];
    if (match !== undefined) found.add(match);
  }
  return [...found];
}

/** Names of modules out of modules.dep or modules.builtin: `kernel/net/xt_recent.ko.xz: …`. */
export function moduleNames(text: string): string[] {
  return text.split("\n").flatMap((line) => {
    const name = /([^/:\s]+)\.ko(?:\.[a-z0-9]+)?(?::|$)/.exec(line)?.[1];
    return name === undefined ? [] : [name.replaceAll("-", "_")];
  });
}
