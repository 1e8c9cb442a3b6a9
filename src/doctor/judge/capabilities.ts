import { type Check, type Finding, ok, problem, skipped, warning } from "./finding.ts";

const CHECK: Check = { id: "capabilities", title: "Capabilities" };
/** Bits of Linux's capabilities (linux/capability.h). */
const BIT = { NET_BIND_SERVICE: 10n, NET_ADMIN: 12n, NET_RAW: 13n } as const;

/** What this process may do. */
export interface CapabilityFacts {
  /** `CapEff` of /proc/self/status; null if that cannot be read. */
  readonly effective: bigint | null;
  /** Ports from here on are open to everybody (net.ipv4.ip_unprivileged_port_start). */
  readonly unprivilegedPort: number;
  /** The lowest port that is listened on; null for none. */
  readonly lowestPort: number | null;
  readonly setupInterface: boolean;
  readonly setupRules: boolean;
  /** Kind of iptables that is used; null if it is not known. */
  readonly backend: "nft" | "legacy" | "default" | null;
}

/** `CapEff` out of /proc/self/status, or null. */
export function parseEffective(status: string): bigint | null {
  const digits = /^CapEff:\s*([0-9a-f]{1,16})$/m.exec(status)?.[1];
  return digits === undefined ? null : BigInt(`0x${digits}`);
}

/** Whether NET_ADMIN is among them; null if they are not known. */
export function mayAdminister(effective: bigint | null): boolean | null {
  return effective === null ? null : (effective >> BIT.NET_ADMIN & 1n) === 1n;
}

/** Whether the capabilities of this process are enough for nodens with the same ones. */
export function judgeCapabilities(facts: CapabilityFacts): Finding {
  const { effective, lowestPort, setupInterface, setupRules, backend, unprivilegedPort } = facts;
  if (effective === null) return skipped(CHECK, "/proc/self/status cannot be read");
  const has = (name: keyof typeof BIT) => (effective >> BIT[name] & 1n) === 1n;
  const missing: string[] = [];
  const reasons: string[] = [];
  if (!has("NET_ADMIN") && (setupInterface || setupRules)) {
    missing.push("NET_ADMIN");
    const whats = [setupInterface ? "the interface" : "", setupRules ? "the iptables rules" : ""];
    reasons.push(`NET_ADMIN (for ${whats.filter((what) => what !== "").join(" and ")})`);
  }
  if (!has("NET_BIND_SERVICE") && lowestPort !== null && lowestPort < unprivilegedPort) {
    missing.push("NET_BIND_SERVICE");
    reasons.push(`NET_BIND_SERVICE (for port ${lowestPort})`);
  }
  const rawMissing = !has("NET_RAW") && setupRules;
  if (rawMissing && backend === "legacy") {
    missing.push("NET_RAW");
    reasons.push("NET_RAW (iptables of the legacy kind needs it)");
  }
  if (missing.length > 0) {
    return problem(
      CHECK,
      `this process lacks ${reasons.join(", ")}`,
      `give nodens ${missing.join(", ")}: in Kubernetes securityContext.capabilities.add, with` +
        ` systemd AmbientCapabilities=${missing.map((name) => `CAP_${name}`).join(" ")}, else as` +
        " root; if nodens has it already, run the doctor with the same rights",
    );
  }
  if (rawMissing && backend === null) {
    return warning(
      CHECK,
      "this process lacks NET_RAW, which iptables of the legacy kind needs; which kind the node" +
        " uses is not known",
      "give nodens NET_RAW, or see the check iptables",
    );
  }
  const names = (Object.keys(BIT) as (keyof typeof BIT)[]).filter(has);
  return ok(CHECK, names.length === 0 ? "none, and none is needed" : names.join(", "));
}
