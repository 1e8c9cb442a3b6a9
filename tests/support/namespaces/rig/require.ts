import { missing, rootReasons } from "../../run/require.ts";
import { type Backend, requiredBinaries } from "./programs.ts";

/** Reasons why a rig or `programs` are unavailable; for `skipFor`. */
export function rigReasons(
  options: { backend?: Backend; ipv6?: boolean; programs?: readonly string[] } = {},
): string[] {
  const binaries = [...requiredBinaries(options.backend ?? "nft"), ...options.programs ?? []];
  const reasons = [...rootReasons(), ...missing(binaries)];
  if (options.ipv6 === true) {
    try {
      Deno.statSync("/proc/net/if_inet6");
    } catch {
      reasons.push("the kernel has no IPv6");
    }
  }
  return reasons;
}
