import type { Config } from "../../config/types.ts";
import { type Check, type Finding, ok, problem, warning } from "./finding.ts";

const CHECK: Check = { id: "corefile", title: "Corefile" };
/** Stands for the address that is none. */
const ALL = "all addresses";
const MAX_FAULTS = 10;

/** What came of reading the Corefile, or of making it from the template. */
export interface CorefileFacts {
  /** Where it comes from, in words. */
  readonly source: string;
  /** What is wrong with it, a line each; null if all is well. */
  readonly faults: readonly string[];
  readonly warnings: readonly string[];
  /** What it says; that of the Corefile that is there where the new one has faults. */
  readonly config: Config | null;
  /** Addresses that nodens is given on this node. */
  readonly localIps: readonly string[];
}

/** Whether nodens would take the Corefile. */
export function judgeCorefile(
  { source, faults, warnings, config, localIps }: CorefileFacts,
): Finding {
  if (faults.length > 0) {
    const shown = faults.slice(0, MAX_FAULTS);
    const more = faults.length - shown.length;
    return problem(
      CHECK,
      [`${source}:`, ...shown, ...(more > 0 ? [`and ${more} more`] : [])].join("\n"),
      "mend what the lines name; nodens check FILE says the same of a file",
    );
  }
  const blocks = config?.blocks.length ?? 0;
  const addresses = new Set(config?.listeners.map(({ address }) => address || ALL));
  const found = `${source}: ${blocks} server block${blocks === 1 ? "" : "s"},` +
    ` listening on ${[...addresses].join(", ")}`;
  const unheard = localIps.filter((one) => !addresses.has(one) && !hearsAll(addresses, one));
  if (unheard.length > 0) {
    return problem(
      CHECK,
      `${found}; no server block listens at ${unheard.join(", ")}, which -localip names`,
      `write "bind ${unheard.join(" ")}" in the blocks that are to serve there, or leave the` +
        " addresses out of -localip",
    );
  }
  if (warnings.length === 0) return ok(CHECK, found);
  return warning(
    CHECK,
    [found, ...warnings].join("\n"),
    "mend what the warnings name, or name another Corefile (-conf FILE)",
  );
}

function hearsAll(addresses: ReadonlySet<string>, one: string): boolean {
  return addresses.has(ALL) || addresses.has(one.includes(":") ? "::" : "0.0.0.0");
}
