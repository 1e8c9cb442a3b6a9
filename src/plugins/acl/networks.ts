import type ipaddr from "ipaddr.js";
import type { Dispenser } from "../../corefile/dispenser.ts";
import { quote } from "../../corefile/quote.ts";
import { LibraryMissing } from "../controller.ts";
import type { AclNetwork } from "./options.ts";

/** Bits in front of the IPv4 address in one that is mapped into IPv6 (RFC 4291 section 2.5.5.2). */
const MAPPED_PREFIX = 96;

/** The library of addresses, once it is loaded, which takes 20 ms of a start. */
let library: typeof ipaddr | null = null;

/** Loads the library that reads addresses. */
export async function loadAddressLibrary(): Promise<void> {
  library ??= (await import("ipaddr.js")).default;
}

/** Reads an address or a network in CIDR notation. Throws `CorefileError`. */
export function readNetwork(tokens: Dispenser, text: string): AclNetwork {
  if (library === null) throw new LibraryMissing(loadAddressLibrary);
  const [host, bits, ...more] = text.split("/") as [string, string?, ...string[]];
  const address = parseStrictly(library, host);
  if (address === null || more.length > 0 || (bits !== undefined && !/^[0-9]{1,3}$/.test(bits))) {
    throw tokens.error(
      `net: ${quote(text)} is no address or network (write 192.0.2.7, 192.0.2.0/24, ` +
        "2001:db8::/32, or * for all)",
    );
  }
  const octets = address.toByteArray();
  const most = 8 * octets.length;
  const prefix = bits === undefined ? most : Number(bits);
  if (prefix > most) {
    throw tokens.error(
      `net: ${quote(text)} has a prefix longer than its address (0 to ${most})`,
    );
  }
  // IPv4 clients are never seen by their mapped address.
  if (address instanceof library.IPv6 && address.isIPv4MappedAddress() && prefix >= MAPPED_PREFIX) {
    return { octets: octets.slice(12), prefix: prefix - MAPPED_PREFIX };
  }
  return { octets, prefix };
}

/** An address as Go takes it: no octal, hexadecimal or shortened IPv4, no scope. */
function parseStrictly(
  { IPv4, IPv6 }: typeof ipaddr,
  text: string,
): ipaddr.IPv4 | ipaddr.IPv6 | null {
  if (IPv4.isValidFourPartDecimal(text)) return IPv4.parse(text);
  if (text.includes(":") && !text.includes("%") && IPv6.isValid(text)) return IPv6.parse(text);
  return null;
}
