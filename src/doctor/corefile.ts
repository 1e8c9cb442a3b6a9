import type { Config } from "../config/types.ts";
import { type Check, type Finding, ok, problem, warning } from "./finding.ts";

const CHECK: Check = { id: "corefile", title: "Corefile" };
const MAX_FAULTS = 10;

/** What came of reading the Corefile, or of making it from the template. */
export interface CorefileFacts {
  /** Where it comes from, in words. */
  readonly source: string;
  /** What is wrong with it, a line each; null where all is well. */
  readonly faults: readonly string[];
  readonly warnings: readonly string[];
  /** What it says; that of the Corefile that is there where the new one has faults. */
  readonly config: Config | null;
}

/** Whether nodens would take the Corefile. */
export function judgeCorefile({ source, faults, warnings, config }: CorefileFacts): Finding {
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
  const addresses = new Set(config?.listeners.map(({ address }) => address || "all addresses"));
  const found = `${source}: ${blocks} server block${blocks === 1 ? "" : "s"},` +
    ` listening on ${[...addresses].join(", ")}`;
  if (warnings.length === 0) return ok(CHECK, found);
  return warning(
    CHECK,
    [found, ...warnings].join("\n"),
    "mend what the warnings name, or name another Corefile (-conf FILE)",
  );
}
