import { ERRNO } from "../../sys/netlink/rtnetlink.ts";
import { NetlinkError } from "../../sys/netlink/socket.ts";

/** Says what went wrong with an interface, and what would help. */
export function explain(error: unknown): string {
  if (error instanceof AggregateError) {
    return error.errors.map((fault: Error) => fault.message).join("; ");
  }
  const text = error instanceof Error ? error.message : String(error);
  if (!(error instanceof NetlinkError)) return text;
  if (error.errno === ERRNO.PERM) {
    return `${text}; give nodens the capability NET_ADMIN (in Kubernetes: ` +
      "securityContext.capabilities.add), or leave the interface to others with " +
      "-setupinterface=false";
  }
  // Only an IPv6 address is refused in these two ways: IPv6 is switched off, or not there.
  if (error.errno === ERRNO.ACCES) {
    return `${text}; allow IPv6 with "sysctl net.ipv6.conf.all.disable_ipv6=0", ` +
      "or leave the address out of -localip";
  }
  if (error.errno === ERRNO.OPNOTSUPP) {
    return `${text}; this kernel has no IPv6: leave the address out of -localip`;
  }
  return text;
}
