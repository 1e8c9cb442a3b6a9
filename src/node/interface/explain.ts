import { ERRNO } from "../../sys/netlink/rtnetlink.ts";
import { NetlinkError } from "../../sys/netlink/socket.ts";

/** What went wrong with an interface, and the remedy. */
export function explain(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(({ message }) => message).join("; ");
  const text = error instanceof Error ? error.message : String(error);
  const remedy = error instanceof NetlinkError ? REMEDIES[error.errno] : undefined;
  return remedy === undefined ? text : `${text}; ${remedy}`;
}

const REMEDIES: Record<number, string> = {
  [ERRNO.PERM]: "give nodens the capability NET_ADMIN (in Kubernetes: " +
    "securityContext.capabilities.add), or leave the interface to others with " +
    "-setupinterface=false",
  // Only IPv6 addresses are refused with these two: IPv6 is switched off, or the kernel lacks it.
  [ERRNO.ACCES]: 'allow IPv6 with "sysctl net.ipv6.conf.all.disable_ipv6=0", or leave the address' +
    " out of -localip",
  [ERRNO.OPNOTSUPP]: "this kernel has no IPv6: leave the address out of -localip",
};
