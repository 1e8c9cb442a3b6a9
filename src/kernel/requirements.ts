import { parseAddress } from "../dns/address.ts";
import { hasCapability } from "../sys/capabilities.ts";
import { CAPABILITY_REMEDY, Refusal } from "./refusal.ts";

/** Facts about the process that decide before the kernel is asked. */
export interface ProcessFacts {
  readonly driver: string;
  readonly workers: number;
  /** Null if unknown. */
  readonly capabilities: bigint | null;
}

/** Whether a listener has an address: a program does not know which addresses are local. */
export function hasOwnAddress(listeners: readonly { readonly address: string }[]): boolean {
  return listeners.some(({ address }) => parseAddress(address)?.some((octet) => octet !== 0));
}

/** What to do if none has. */
export const ADDRESS_REMEDY = "name addresses in the Corefile: bind 169.254.20.10";

/** Capabilities that are missing; SYS_ADMIN includes BPF and PERFMON. */
export function missingCapabilities(effective: bigint): string[] {
  const has = (name: Parameters<typeof hasCapability>[1]) => hasCapability(effective, name);
  const bpf = (["BPF", "PERFMON"] as const).filter((name) => !has(name) && !has("SYS_ADMIN"));
  return has("NET_ADMIN") ? bpf : [...bpf, "NET_ADMIN"];
}

/** Throws a `Refusal` if the process cannot have hits in the kernel. */
export function checkProcess({ driver, workers, capabilities }: ProcessFacts): void {
  if (driver !== "linux") {
    throw new Refusal("driver", `the driver is ${driver}`, "use -io linux, which needs glibc");
  }
  if (workers !== 1) {
    throw new Refusal("workers", `there are ${workers} data planes`, "use -workers 1");
  }
  const missing = capabilities === null ? [] : missingCapabilities(capabilities);
  if (missing.length > 0) {
    throw new Refusal("capability", `this process lacks ${missing.join(", ")}`, CAPABILITY_REMEDY);
  }
}
