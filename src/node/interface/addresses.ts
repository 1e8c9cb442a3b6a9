import { formatIPv6, parseAddress } from "../../dns/address.ts";
import type { AddressRequest, Rtnetlink } from "../../sys/netlink/rtnetlink.ts";
import type { Link, LinkAddress } from "../../sys/netlink/rtnetlink_messages.ts";

/** An address of the interface. */
export interface WantedAddress extends Omit<AddressRequest, "index"> {
  readonly text: string;
  /** On lo: 127.0.0.0/8 or ::1. */
  readonly loopback: boolean;
}

/** Parses and deduplicates addresses. Throws `RangeError`. */
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

/** Formats 4 or 16 bytes as an address. */
export function addressText(bytes: Uint8Array): string {
  return bytes.length === 4 ? bytes.join(".") : formatIPv6(bytes);
}

/** kube-proxy's IPVS puts all Service addresses here. */
const IPVS_LINK = "kube-ipvs0";

/** Describes wanted addresses on other links. */
export function describeElsewhere(
  wanted: readonly WantedAddress[],
  others: readonly LinkAddress[],
  listLinks: () => readonly Link[],
): string[] {
  const hosts = new Set(
    wanted.filter(({ loopback }) => !loopback).map(({ bytes }) => addressText(bytes)),
  );
  const found = others.filter(({ bytes }) => hosts.has(addressText(bytes)));
  const links = found.length === 0 ? [] : listLinks();
  return found.flatMap(({ bytes, prefixLength, index }) => {
    const name = links.find((link) => link.index === index)?.name ?? String(index);
    if (name === IPVS_LINK) return [];
    const address = `${addressText(bytes)}/${prefixLength}`;
    return [
      `${address} is on ${name} too, so without nodens queries to it still end on this machine,` +
      ` unanswered: ip address del ${address} dev ${name}`,
    ];
  });
}

/** Documentation addresses (RFC 5737, RFC 3849), routed by default. */
const ELSEWHERE: readonly Uint8Array[] = ["192.0.2.1", "2001:db8::1"]
  .map((text) => parseAddress(text)!);

/**
 * Plans another source for the host's queries: answers to a removed address are lost. Null without
 * alternative or default route.
 */
export function planOtherSource(
  kernel: Rtnetlink,
  address: AddressRequest,
  wanted: readonly WantedAddress[],
): (() => void) | null {
  const elsewhere = ELSEWHERE.find(({ length }) => length === address.bytes.length)!;
  const source = kernel.sourceTowards(elsewhere);
  const text = String(source);
  if (source === null || wanted.some(({ bytes }) => String(bytes) === text)) return null;
  return () => kernel.setLocalSource(address, source);
}

/** Restores the queried address as the source. */
export function restoreSource(kernel: Rtnetlink, address: AddressRequest): void {
  if (address.bytes.length === 4) return kernel.setLocalSource(address, address.bytes);
  kernel.deleteLocalRoute(address);
  kernel.deleteAddress(address);
  kernel.addAddress(address);
}
