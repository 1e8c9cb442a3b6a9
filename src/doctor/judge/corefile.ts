import type { Config } from "../../config/types.ts";
import type { Missing } from "../../inherit/compare.ts";
import type { AddressOrWhy } from "../../node/template/template.ts";
import { ok, problem, skipped, type Verdict, warning } from "./finding.ts";

const ALL = "all addresses";
const MAX_FAULTS = 10;
const MAX_MISSING = 20;

/** The Corefile, or faults. */
export interface CorefileFacts {
  readonly source: string;
  readonly faults: readonly string[];
  readonly warnings: readonly string[];
  readonly config: Config | null;
  /** Null if unreadable. */
  readonly served: { readonly file: string; readonly text: string } | null;
}

/** Checks that the Corefile is valid and local addresses are served. */
export function judgeCorefile(
  { source, faults, warnings, config }: CorefileFacts,
  localIps: readonly string[],
): Verdict {
  if (faults.length > 0) {
    return problem(
      [`${source}:`, ...limited(faults, MAX_FAULTS)].join("\n"),
      "fix what the lines name; nodens check FILE reports the same for a file",
    );
  }
  const blocks = config?.blocks.length ?? 0;
  const addresses = new Set(config?.listeners.map(({ address }) => address || ALL));
  const found = `${source}: ${blocks} server block${blocks === 1 ? "" : "s"},` +
    ` listening on ${[...addresses].join(", ")}`;
  const unheard = localIps.filter((one) =>
    ![one, ALL, one.includes(":") ? "::" : "0.0.0.0"].some((address) => addresses.has(address))
  );
  if (unheard.length > 0) {
    return problem(
      `${found}; no server block listens at ${unheard.join(", ")}, which -localip names`,
      `write "bind ${unheard.join(" ")}" in the blocks that should serve there, or leave the` +
        " addresses out of -localip",
    );
  }
  if (warnings.length === 0) return ok(found);
  return warning(
    [found, ...warnings].join("\n"),
    "fix what the warnings name, or name another Corefile (-conf FILE)",
  );
}

/** First lines, and the number omitted. */
export function limited(lines: readonly string[], max: number): string[] {
  const more = lines.length - max;
  return more > 0 ? [...lines.slice(0, max), `and ${more} more`] : [...lines];
}

/** The template's Service for cluster names. */
export interface ServiceFacts {
  readonly service: string | null;
  readonly address: AddressOrWhy;
  readonly needed: boolean;
}

/** Checks that the Service's address is known and not ours. */
export function judgeService(
  { service, address, needed }: ServiceFacts,
  localIps: readonly string[],
): Verdict {
  if (service === null) return skipped("no template, so no Service is needed");
  if ("why" in address) {
    if (!needed) return skipped(`${address.why}; the template does not need it`);
    return problem(
      address.why,
      `create the Service (kubectl -n kube-system get service ${service}) before the pod starts;` +
        " kubelet sets the variable in pods of the same namespace. In a shell on the node, set it" +
        " for the doctor yourself",
    );
  }
  if (!localIps.includes(address.address)) return ok(`${service} is at ${address.address}`);
  const found = `the Service ${service} is at ${address.address}, which -localip has too`;
  const remedy = "make a second Service with the same selector (kube-dns-upstream), and name it" +
    " with -upstreamsvc";
  return needed
    ? problem(`${found}: nodens would forward to itself`, remedy)
    : warning(found, remedy);
}

/** Missing parts, or why they are unknown. */
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
    return ok([`${found} ${file}`, ...limited(notes, MAX_MISSING)].join("\n"));
  }
  const lines = facts.missing.map(({ where, what, left }) =>
    `${where}: ${what}${left === null ? "" : `; ${left}`}`
  );
  return warning(
    ["not on the node:", ...limited(lines, MAX_MISSING), ...limited(notes, MAX_MISSING)].join("\n"),
    `nodens manifest -from MANIFEST -inherit ${file} (or without -from) brings it over; what it` +
      " leaves out, add to the node's Corefile yourself",
  );
}
