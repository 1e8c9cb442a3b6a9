import type { Missing } from "../../inherit/compare.ts";
import { limited } from "./corefile.ts";
import { ok, problem, skipped, type Verdict, warning } from "./finding.ts";

const MAX_LINES = 20;

/** Missing parts of the cluster DNS's configuration, or why they are unknown. */
export type InheritFacts =
  | {
    readonly file: string;
    readonly missing: readonly Missing[];
    readonly notes: readonly string[];
  }
  | { readonly file: string; readonly why: string; readonly isFault: boolean };

/** Checks that the node's Corefile has what the cluster DNS is configured to do. */
export function judgeInherit(facts: InheritFacts): Verdict {
  const { file } = facts;
  if ("why" in facts) {
    if (!facts.isFault) return skipped(facts.why);
    return problem(
      `${file}: ${facts.why}`,
      "give -inherit the ConfigMaps: kubectl -n kube-system get configmap coredns coredns-custom" +
        " -o yaml",
    );
  }
  const notes = facts.notes.map((note) => `(${note})`);
  if (facts.missing.length === 0) {
    const found = "the node has the stub zones, hosts, rewrites and upstream servers of";
    return ok([`${found} ${file}`, ...limited(notes, MAX_LINES)].join("\n"));
  }
  const lines = facts.missing.map(({ where, what, left }) =>
    `${where}: ${what}${left === null ? "" : `; ${left}`}`
  );
  return warning(
    ["not on the node:", ...limited(lines, MAX_LINES), ...limited(notes, MAX_LINES)].join("\n"),
    `nodens manifest -from MANIFEST -inherit ${file} (or without -from) brings it over; what it` +
      " leaves out, add to the node's Corefile yourself",
  );
}
