import { type Check, type Finding, ok, problem, warning } from "./finding.ts";

const RUNTIME: Check = { id: "runtime", title: "Runtime" };
const PERMISSIONS: Check = { id: "permissions", title: "Deno permissions" };

/** What nodens runs on. */
export interface RuntimeFacts {
  /** "linux", "darwin", … */
  readonly os: string;
  readonly arch: string;
  readonly deno: string;
  /** Why the C library cannot be used, or null. */
  readonly libcMissing: string | null;
  /** Permissions of Deno's that were not granted. */
  readonly denied: readonly string[];
  /** Something of the host is to be set up: an interface, or rules. */
  readonly touchesHost: boolean;
}

/** Whether the fast driver can run here, and whether the runtime lets nodens do its work. */
export function judgeRuntime(facts: RuntimeFacts): Finding[] {
  const { os, arch, deno, libcMissing, denied, touchesHost } = facts;
  const what = `deno ${deno} on ${os}/${arch}`;
  const runtime = libcMissing === null
    ? ok(RUNTIME, `${what}, driver linux (epoll)`)
    : touchesHost
    ? problem(
      RUNTIME,
      `${what}: ${libcMissing}; without it there is neither interface nor heartbeat`,
      "use the image of nodens, or a system with glibc, and allow FFI (--allow-ffi)",
    )
    : warning(
      RUNTIME,
      `${what}: ${libcMissing}; the portable driver is used, at about four times the CPU`,
      "run it on Linux with glibc, and allow FFI (--allow-ffi)",
    );
  if (denied.length === 0) return [runtime, ok(PERMISSIONS, "all that nodens needs")];
  const needed = denied.filter((name) => name !== "run" || touchesHost);
  const flags = denied.map((name) => `--allow-${name}`).join(" ");
  const found = `not granted: ${denied.join(", ")}`;
  const permissions = needed.some((name) => name !== "ffi")
    ? problem(PERMISSIONS, found, `run nodens with ${flags}`)
    : warning(PERMISSIONS, found, `run nodens with ${flags}`);
  return [runtime, permissions];
}
