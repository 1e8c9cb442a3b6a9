import assert from "node:assert/strict";

/** Sets of capabilities in /proc (linux/capability.h). */
export const CAPABILITIES = {
  none: "0000000000000000",
  /** NET_BIND_SERVICE. */
  serving: "0000000000000400",
  /** NET_BIND_SERVICE, NET_ADMIN and NET_RAW. */
  node: "0000000000003400",
} as const;

/** The manifests' limit. */
const MEMORY_BYTES = 192 * 1024 * 1024;
export const USER = { uid: 65532, memoryBytes: MEMORY_BYTES } as const;
export const ROOT_USER = { uid: 0, memoryBytes: MEMORY_BYTES } as const;

/** Mode SECCOMP_MODE_FILTER (linux/seccomp.h). */
const FILTERED = "2";
const CGROUPS = "/sys/fs/cgroup";

export interface Confinement {
  readonly uid: number;
  readonly capabilities: string;
  readonly memoryBytes: number;
}

/** Asserts a process's exact rights, a read-only root, and a memory limit. */
export function assertConfined(pid: number, { uid, capabilities, memoryBytes }: Confinement): void {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  const line = (name: string) => new RegExp(`^${name}:\\s*(.*)$`, "m").exec(status)?.[1];
  assert.equal(line("Uid"), Array(4).fill(uid).join("\t"));
  for (const set of ["CapPrm", "CapEff", "CapBnd"]) assert.equal(line(set), capabilities, set);
  assert.equal(line("NoNewPrivs"), "1");
  assert.equal(line("Seccomp"), FILTERED);
  const mounts = Deno.readTextFileSync(`/proc/${pid}/mountinfo`).split("\n");
  const root = mounts.map((one) => one.split(" ")).filter(([, , , , at]) => at === "/").at(-1);
  assert.match(root![5]!, /^ro\b/);
  assert.equal(memoryLimit(pid), memoryBytes);
}

/** Limit of a process's control group, version 1 or 2. */
function memoryLimit(pid: number): number {
  const groups = Deno.readTextFileSync(`/proc/${pid}/cgroup`);
  const old = /^\d+:memory:(.*)$/m.exec(groups)?.[1];
  const path = old === undefined
    ? `${/^0::(.*)$/m.exec(groups)![1]}/memory.max`
    : `/memory${old}/memory.limit_in_bytes`;
  return Number(Deno.readTextFileSync(CGROUPS + path));
}
