import type { ProbeResult } from "../../kernel/probe.ts";
import { ADDRESS_REMEDY } from "../../kernel/requirements.ts";
import { namesText } from "../../kernel/status.ts";
import { ok, skipped, type Verdict, warning } from "./finding.ts";
import type { Running } from "./listeners.ts";

/** Facts about hits in the kernel. */
export interface KernelHitsFacts {
  /** `-kernel-hits` is given. */
  readonly wanted: boolean;
  /** A listener has an address, or none is known. */
  readonly hasAddress: boolean;
  /** Null if the kernel cannot be asked. */
  readonly probe: ProbeResult | null;
  readonly running: Running;
}

const BYPASS = "these answers bypass iptables, NetworkPolicy and CNIs that read DNS";

/** Checks whether the kernel can answer hits here. */
export function judgeKernelHits({ wanted, hasAddress, probe, running }: KernelHitsFacts): Verdict {
  if (probe === null) return skipped("the kernel cannot be asked (see runtime)");
  const { found, remedy } = describe(probe);
  const left = probe.filtered.length > 0 && running === "nobody"
    ? `; ${
      namesText(probe.filtered)
    } has a filter of a process that was killed, which answers nothing`
    : "";
  if (!wanted) {
    const text = remedy === null ? `off; possible here: ${found}` : `off; not possible: ${found}`;
    return skipped(text + left);
  }
  if (remedy !== null) return warning(found + left, remedy);
  if (!hasAddress) return warning(`all listeners are on all addresses${left}`, ADDRESS_REMEDY);
  const nat = probe.afterNat.length > 0
    ? `; NAT rules come first on ${namesText(probe.afterNat)}, and these answers do not undo them`
    : "";
  return ok(`${found}; ${BYPASS}${nat} (docs/kernel-path.md)${left}`);
}

/** Without a remedy if it is possible. */
function describe(probe: ProbeResult): { found: string; remedy: string | null } {
  const { refusal, attach, loaded, candidates, unsuitable, foreign } = probe;
  if (refusal !== null) return { found: refusal.message, remedy: refusal.remedy };
  const [bad] = unsuitable;
  if (bad !== undefined) {
    return {
      found: `not on ${bad[0]}: ${bad[1]}`,
      remedy: "name other interfaces with -kernel-hits, or use -kernel-hits auto",
    };
  }
  const other = foreign.find(({ isOfPods }) => isOfPods) ?? foreign[0];
  if (other !== undefined) {
    const left = other.isOfPods ? "no interface of pods is used" : "lo is left out";
    return {
      found: `${other.name} has ${other.text}, so ${left}`,
      remedy: "see docs/kernel-path.md; -kernel-hits lo serves this machine's own queries",
    };
  }
  if (candidates.length === 0) {
    return { found: "no suitable interface", remedy: "nothing, if pods are still to come" };
  }
  const program = loaded ? "the program loads; " : "";
  return { found: `${program}${attach} on ${namesText(candidates)}`, remedy: null };
}
