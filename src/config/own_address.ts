import { Address, parseAddress } from "../dns/address.ts";
import type { ListenerConfig } from "./types.ts";

/**
 * Which listeners take in what this machine sends to an address and port. A listener of that very
 * address goes before one of all addresses, as in the kernel.
 *
 * @param interfaces - addresses of this machine; asked for only where they matter
 */
export function listenersAt(
  listeners: readonly ListenerConfig[],
  { address, port }: { address: string; port: number },
  interfaces: () => readonly string[],
): ListenerConfig[] {
  const samePort = listeners.filter((listener) => listener.port === port);
  if (samePort.length === 0) return [];
  const wanted = destination(address);
  const exact = samePort.filter((one) => one.address !== "" && same(parse(one.address), wanted));
  if (exact.length > 0) return exact;
  const wildcard = wanted.host.includes(":") ? "::" : "0.0.0.0";
  const all = samePort.filter((one) => one.address === "" || one.address === wildcard);
  if (all.length === 0) return [];
  const isLoopback = wanted.host.startsWith("127.") || wanted.host === "::1";
  return isLoopback || interfaces().some((own) => same(parse(own), wanted)) ? all : [];
}

/** An address in one spelling, IPv4 also where it is mapped into IPv6. */
interface Destination {
  host: string;
  /** Interface of a link-local address; undefined if none is written. */
  scope: string | undefined;
}

/** Where Linux sends a packet for the address: that of all addresses is this machine's own. */
function destination(text: string): Destination {
  const found = parse(text);
  if (found.host === "0.0.0.0") return { ...found, host: "127.0.0.1" };
  return found.host === "::" ? { ...found, host: "::1" } : found;
}

function parse(text: string): Destination {
  const [host, scope] = text.split("%") as [string, string?];
  const bytes = parseAddress(host);
  if (bytes === null) return { host, scope };
  const address = new Address();
  address.family = bytes.length === 4 ? 4 : 6;
  address.bytes.set(bytes);
  address.unmap();
  return { host: address.hostname(), scope };
}

/** Routers are often called fe80::1, and so is this machine on some bridge of its own. */
function same(one: Destination, other: Destination): boolean {
  if (one.host !== other.host) return false;
  return one.scope === undefined || other.scope === undefined || one.scope === other.scope;
}
