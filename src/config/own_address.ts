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
  const exact = samePort.filter((one) => one.address !== "" && key(one.address) === wanted);
  if (exact.length > 0) return exact;
  const wildcard = wanted.startsWith("4 ") ? "0.0.0.0" : "::";
  const all = samePort.filter((one) => one.address === "" || one.address === wildcard);
  if (all.length === 0) return [];
  const isLoopback = wanted.startsWith("4 127,") || wanted === LOOPBACK6;
  return isLoopback || interfaces().some((own) => key(own) === wanted) ? all : [];
}

const LOOPBACK6 = key("::1");

/** Where Linux sends a packet for the address: the address of all is this machine's own. */
function destination(address: string): string {
  const found = key(address);
  if (found === key("0.0.0.0")) return key("127.0.0.1");
  return found === key("::") ? LOOPBACK6 : found;
}

/** One text for equal addresses; the scope of a link-local one is left out. */
function key(text: string): string {
  const bytes = parseAddress(text.split("%")[0]!);
  if (bytes === null) return text;
  const address = new Address();
  address.family = bytes.length === 4 ? 4 : 6;
  address.bytes.set(bytes);
  address.unmap();
  return `${address.family} ${address.bytes.subarray(0, address.family === 4 ? 4 : 16).join()}`;
}
