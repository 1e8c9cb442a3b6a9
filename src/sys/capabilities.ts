/** Bits of capabilities (linux/capability.h). */
export const CAPABILITY = {
  ...{ NET_BIND_SERVICE: 10n, NET_ADMIN: 12n, NET_RAW: 13n },
  ...{ SYS_ADMIN: 21n, PERFMON: 38n, BPF: 39n },
} as const;

/** `CapEff` of /proc/self/status, or null. */
export function parseEffective(status: string): bigint | null {
  const digits = /^CapEff:\s*([0-9a-f]{1,16})$/m.exec(status)?.[1];
  return digits === undefined ? null : BigInt(`0x${digits}`);
}

/** Whether a capability is among the effective ones. */
export function hasCapability(effective: bigint, name: keyof typeof CAPABILITY): boolean {
  return (effective >> CAPABILITY[name] & 1n) === 1n;
}
