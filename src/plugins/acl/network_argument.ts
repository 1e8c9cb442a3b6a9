import type { Dispenser } from "../../corefile/dispenser.ts";
import { quote } from "../../corefile/quote.ts";
import { Address, parseAddress } from "../../dns/address.ts";

/** Network of clients. */
export interface ClientNetwork {
  octets: number[];
  prefix: number;
}

/** Of mapped addresses (RFC 4291 section 2.5.5.2). */
const MAPPED_PREFIX = 96;

/** Reads an address or network. Throws `CorefileError`. */
export function readNetwork(
  tokens: Dispenser,
  text: string,
  { option, orElse = "" }: { option: string; orElse?: string },
): ClientNetwork {
  const [host, bits, ...more] = text.split("/") as [string, string?, ...string[]];
  const bytes = parseAddress(host);
  if (bytes === null || more.length > 0 || (bits !== undefined && !/^[0-9]{1,3}$/.test(bits))) {
    throw tokens.error(
      `${option}: ${quote(text)} is not an address or network (write 192.0.2.7, 192.0.2.0/24, ` +
        `2001:db8::/32${orElse})`,
    );
  }
  const most = 8 * bytes.length;
  const prefix = bits === undefined ? most : Number(bits);
  if (prefix > most) {
    const what = "has a prefix longer than its address";
    throw tokens.error(`${option}: ${quote(text)} ${what} (0 to ${most})`);
  }
  const address = new Address();
  address.family = bytes.length === 4 ? 4 : 6;
  address.bytes.set(bytes);
  // Mapped addresses match as IPv4.
  if (most === 128 && prefix >= MAPPED_PREFIX) address.unmap();
  if (address.family === 6 || most === 32) return { octets: [...bytes], prefix };
  return { octets: [...bytes.subarray(12)], prefix: prefix - MAPPED_PREFIX };
}
