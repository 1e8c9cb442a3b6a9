import { parseAddress } from "../../dns/address.ts";
import type { AddressRequest, Rtnetlink } from "../../sys/netlink/rtnetlink.ts";
import type { WantedAddress } from "./options.ts";

/** Documentation addresses (RFC 5737, RFC 3849): packets to them take the default route. */
const ELSEWHERE: readonly Uint8Array[] = ["192.0.2.1", "2001:db8::1"]
  .map((text) => parseAddress(text)!);

/**
 * Makes the host's own queries to an address leave from another one: by default the kernel chooses
 * the queried address, and an answer that arrives after its removal is lost. Returns null if there
 * is no other address that stays, or no default route; else the step that changes the route.
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

/** Makes them leave from the queried address again. */
export function restoreSource(kernel: Rtnetlink, address: AddressRequest): void {
  if (address.bytes.length === 4) return kernel.setLocalSource(address, address.bytes);
  // The kernel removes only routes of its own with their address: have it make this one again.
  kernel.deleteLocalRoute(address);
  kernel.deleteAddress(address);
  kernel.addAddress(address);
}
