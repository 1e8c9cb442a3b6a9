import type { Clock } from "../../base/clock.ts";
import { formatIPv6, parseAddress } from "../../dns/address.ts";
import type { LogLevel } from "../../engine/handler.ts";
import type { AddressRequest } from "../../sys/netlink/rtnetlink.ts";

const MAX_NAME = 15;

/** Kind of the interface. */
export type InterfaceKind = LinkKind | "lo";
/** Suitable kinds of links. */
export type LinkKind = "dummy" | "bridge";

/** Options of `NodeInterface`. */
export interface InterfaceOptions {
  name: string;
  addresses: readonly string[];
  log(level: LogLevel, line: string): void;
  clock?: Clock;
  /** Kinds to request instead of a dummy or a bridge, so that tests need no kernel modules. */
  kernelKinds?: Partial<Record<LinkKind, string>>;
}

/** An address of the interface. */
export interface WantedAddress extends Omit<AddressRequest, "index"> {
  readonly text: string;
  /** In 127.0.0.0/8, or ::1: one of the system's own, on lo. */
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
    ? "it is not a valid name for a link"
    : null;
  if (problem === null) return;
  throw new RangeError(
    `Cannot set up the interface ${JSON.stringify(name)}: ${problem}; ` +
      `take 1 to ${MAX_NAME} letters, digits, "-" or "_"`,
  );
}

/**
 * Parses addresses and removes duplicates. Throws a RangeError for an invalid or unspecified one.
 */
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
    const host = addressText(bytes);
    const prefixLength = bytes.length * 8;
    const text = `${host}/${prefixLength}`;
    const loopback = bytes.length === 4 ? bytes[0] === 127 : host === "::1";
    wanted.set(text, { bytes, prefixLength, text, loopback });
  }
  return [...wanted.values()];
}

/** Text of 4 or 16 bytes. */
export function addressText(bytes: Uint8Array): string {
  return bytes.length === 4 ? bytes.join(".") : formatIPv6(bytes);
}
