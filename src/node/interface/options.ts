import type { Clock } from "../../base/clock.ts";
import type { LogLevel } from "../../engine/handler.ts";
import { ERRNO } from "../../sys/constants.ts";
import { NetlinkError } from "../../sys/netlink/socket.ts";

/** IFNAMSIZ without final zero. */
const MAX_NAME = 15;

/** Kind of the interface. */
export type InterfaceKind = LinkKind | "lo";
/** Suitable kinds of links. */
export type LinkKind = "dummy" | "bridge";

/** `NodeInterface` options. */
export interface InterfaceOptions {
  name: string;
  addresses: readonly string[];
  log(level: LogLevel, line: string): void;
  clock?: Clock;
  kernelKinds?: Partial<Record<LinkKind, string>>;
}

/** Throws `RangeError` for an invalid link name. */
export function checkInterfaceName(name: string): void {
  const length = new TextEncoder().encode(name).length;
  const problem = length === 0
    ? "it is empty"
    : length > MAX_NAME
    ? `it has ${length} octets`
    : name === "." || name === ".." || /[/:\s\0]/.test(name)
    ? "it is not a valid name for a link"
    : null;
  if (problem === null) return;
  throw new RangeError(
    `Cannot set up the interface ${JSON.stringify(name)}: ${problem}; ` +
      `take 1 to ${MAX_NAME} letters, digits, "-" or "_"`,
  );
}

/** Describes an interface fault and its remedy. */
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
  // IPv6 is switched off, or missing from the kernel.
  [ERRNO.ACCES]: 'allow IPv6 with "sysctl net.ipv6.conf.all.disable_ipv6=0", or leave the address' +
    " out of -localip",
  [ERRNO.OPNOTSUPP]: "this kernel has no IPv6: leave the address out of -localip",
};
