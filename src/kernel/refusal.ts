import { ERRNO } from "../sys/constants.ts";
import { BpfError } from "../sys/bpf/bpf.ts";

/** Why the kernel does not answer, or not everywhere. */
export const REASONS = [
  /** The driver is not `linux`. */
  "driver",
  /** More than one data plane. */
  "workers",
  "capability",
  /** Too old, or without BPF. */
  "kernel",
  "memory",
  /** The kernel rejects the program. */
  "verifier",
  "timeout",
  /** An interface that was named is missing or unsuitable. */
  "interface",
  /** Another program handles the packets of pods. */
  "foreign",
  /** The kernel does not attach the program. */
  "attach",
] as const;

/** One of `REASONS`. */
export type Reason = typeof REASONS[number];

/** Part of hits in the kernel that is not possible here. */
export class Refusal extends Error {
  readonly reason: Reason;
  readonly remedy: string;

  constructor(reason: Reason, what: string, remedy: string) {
    super(what);
    this.reason = reason;
    this.remedy = remedy;
  }
}

/** Remedy for missing capabilities. */
export const CAPABILITY_REMEDY =
  "give nodens BPF, PERFMON and NET_ADMIN: in Kubernetes securityContext.capabilities.add, with" +
  " systemd AmbientCapabilities; older container engines need SYS_ADMIN for bpf(2)";
/** Remedy for old kernels. */
export const KERNEL_REMEDY = "use Linux 5.10 or later with BPF, or -kernel-hits off";

/** Turns a failed step into a refusal. */
export function refusalOf(step: "maps" | "load" | "attach", error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  const text = error instanceof Error ? error.message : String(error);
  const log = error instanceof BpfError ? error.verifierLog : "";
  const errno = error instanceof BpfError ? error.errno : (error as { errno?: number }).errno;
  // Without PERFMON the verifier is stricter, and says so.
  if (errno === ERRNO.PERM || log.includes("!root")) {
    return new Refusal("capability", text, CAPABILITY_REMEDY);
  }
  if (errno === ERRNO.NOMEM || errno === ERRNO.NOBUFS) {
    return new Refusal("memory", text, "raise the memory limit, or use -kernel-hits off");
  }
  if (errno === ERRNO.TIMEDOUT || errno === ERRNO.AGAIN) {
    return new Refusal("timeout", text, "the machine is too busy: restart nodens later");
  }
  if (step === "attach") {
    return new Refusal("attach", text, "nodens tries again; -kernel-hits off ends that");
  }
  return log !== ""
    ? new Refusal("verifier", text, "use -kernel-hits off, and report this kernel's version")
    : new Refusal("kernel", text, KERNEL_REMEDY);
}
