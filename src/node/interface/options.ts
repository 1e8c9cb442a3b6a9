import { formatIPv6, parseAddress } from "../../dns/address.ts";
import type { LogLevel } from "../../engine/handler.ts";
import type { AddressRequest } from "../../sys/netlink/rtnetlink.ts";

/** Longest name of a link, in octets (IFNAMSIZ without the zero at its end). */
const MAX_NAME = 15;

/** Holder of the addresses: a link of one of two kinds, or lo. */
export type InterfaceKind = LinkKind | "lo";
/** Kinds of links that serve, the better one first. */
export type LinkKind = "dummy" | "bridge";

/** How the interface is made, and where its log goes. */
export interface InterfaceOptions {
  name: string;
  /** IPv4 and IPv6 addresses as text. */
  addresses: readonly string[];
  log(level: LogLevel, line: string): void;
  /** What the kernel is asked for instead of a dummy or a bridge; the tests have other kinds. */
  kernelKinds?: Partial<Record<LinkKind, string>>;
}

/** An address to have. */
export interface WantedAddress extends Omit<AddressRequest, "index"> {
  /** With its prefix length, as `ip address` writes it. */
  readonly text: string;
  /** It lies in 127.0.0.0/8 or is ::1: the system's own, on lo. */
  readonly loopback: boolean;
}

/** Throws a RangeError if the kernel would refuse the name of a link. */
export function checkInterfaceName(name: string): void {
  const length = new TextEncoder().encode(name).length;
  const problem = length === 0
    ? "it is empty"
    : length > MAX_NAME
    ? `it has ${length} octets`
    : name === "." || name === ".." || /[/:\s\0]/.test(name)
    ? "it is no name for a link"
    : null;
  if (problem === null) return;
  throw new RangeError(
    `Cannot set up the interface ${JSON.stringify(name)}: ${problem}; ` +
      `take 1 to ${MAX_NAME} letters, digits, "-" or "_"`,
  );
}

/** The addresses to have, each once. Throws a RangeError for what is none of a machine's own. */
export function wantedAddresses(addresses: readonly string[]): WantedAddress[] {
  const wanted = new Map<string, WantedAddress>();
  for (const address of addresses) {
    const bytes = parseAddress(address);
    if (bytes === null || bytes.every((byte) => byte === 0)) {
      throw new RangeError(
        `Cannot give an interface the address "${address}": ` +
          "name one IPv4 or IPv6 address, like 169.254.20.10 or fd00::10",
      );
    }
    const host = bytes.length === 4 ? bytes.join(".") : formatIPv6(bytes);
    const prefixLength = bytes.length * 8;
    const text = `${host}/${prefixLength}`;
    const loopback = bytes.length === 4 ? bytes[0] === 127 : host === "::1";
    wanted.set(text, { bytes, prefixLength, text, loopback });
  }
  return [...wanted.values()];
}
