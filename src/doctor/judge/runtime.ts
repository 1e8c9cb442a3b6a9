import type { BackendName } from "../../node/rules/iptables.ts";
import { hasCapability } from "../../sys/capabilities.ts";
import { ok, problem, skipped, type Verdict, warning } from "./finding.ts";

/** Platform and permissions. */
export interface RuntimeFacts {
  readonly os: string;
  readonly arch: string;
  readonly deno: string;
  readonly libcMissing: string | null;
  readonly denied: readonly string[];
  readonly touchesHost: boolean;
}

/** Checks that the fast driver runs here. */
export function judgeRuntime({ os, arch, deno, libcMissing, touchesHost }: RuntimeFacts): Verdict {
  const what = `deno ${deno} on ${os}/${arch}`;
  if (libcMissing === null) return ok(`${what}, driver linux (epoll)`);
  return touchesHost
    ? problem(
      `${what}: ${libcMissing}; without it there is neither interface nor heartbeat`,
      "use the image of nodens, or a system with glibc, and allow FFI (--allow-ffi)",
    )
    : warning(
      `${what}: ${libcMissing}; the portable driver is used, at about four times the CPU`,
      "run it on Linux with glibc, and allow FFI (--allow-ffi)",
    );
}

/** Checks the permissions of Deno. */
export function judgePermissions({ denied, touchesHost }: RuntimeFacts): Verdict {
  if (denied.length === 0) return ok("all that nodens needs");
  const isFatal = denied.some((name) => name !== "ffi" && (name !== "run" || touchesHost));
  const flags = denied.map((name) => `--allow-${name}`).join(" ");
  const judge = isFatal ? problem : warning;
  return judge(`not granted: ${denied.join(", ")}`, `run nodens with ${flags}`);
}

/** Capabilities of the node role. */
const NODE_CAPABILITIES = ["NET_BIND_SERVICE", "NET_ADMIN", "NET_RAW"] as const;

/** Capabilities. */
export interface CapabilityFacts {
  readonly effective: bigint | null;
  readonly unprivilegedPort: number;
  readonly lowestPort: number | null;
  readonly setupInterface: boolean;
  readonly setupRules: boolean;
  readonly backend: BackendName | null;
}

/** Whether NET_ADMIN is included; null if unknown. */
export function mayAdminister(effective: bigint | null): boolean | null {
  return effective === null ? null : hasCapability(effective, "NET_ADMIN");
}

/** Checks that this process's capabilities suffice. */
export function judgeCapabilities(facts: CapabilityFacts): Verdict {
  const { effective, lowestPort, setupInterface, setupRules, backend, unprivilegedPort } = facts;
  if (effective === null) return skipped("/proc/self/status cannot be read");
  const has = (name: Parameters<typeof hasCapability>[1]) => hasCapability(effective, name);
  const missing = new Map<string, string>();
  const uses = [setupInterface ? ["the interface"] : [], setupRules ? ["the iptables rules"] : []];
  if (!has("NET_ADMIN") && (setupInterface || setupRules)) {
    missing.set("NET_ADMIN", `for ${uses.flat().join(" and ")}`);
  }
  if (!has("NET_BIND_SERVICE") && lowestPort !== null && lowestPort < unprivilegedPort) {
    missing.set("NET_BIND_SERVICE", `for port ${lowestPort}`);
  }
  const rawMissing = !has("NET_RAW") && setupRules;
  if (rawMissing && backend === "legacy") {
    missing.set("NET_RAW", "iptables of the legacy kind needs it");
  }
  if (missing.size > 0) {
    const names = [...missing.keys()];
    return problem(
      `this process lacks ${[...missing].map(([name, why]) => `${name} (${why})`).join(", ")}`,
      `give nodens ${names.join(", ")}: in Kubernetes securityContext.capabilities.add, with` +
        ` systemd AmbientCapabilities=${names.map((name) => `CAP_${name}`).join(" ")}, else as` +
        " root; if nodens has it already, run the doctor with the same rights",
    );
  }
  if (rawMissing && backend === null) {
    return warning(
      "this process lacks NET_RAW, which iptables of the legacy kind needs; which kind the node" +
        " uses is not known",
      "give nodens NET_RAW, or see the check iptables",
    );
  }
  const names = NODE_CAPABILITIES.filter(has);
  return ok(names.join(", ") || "none, and none is needed");
}
