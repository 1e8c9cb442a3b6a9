import type { Dispenser } from "../corefile/dispenser.ts";
import { quote } from "../corefile/quote.ts";

/** Where an HTTP endpoint listens. */
export interface HttpAddress {
  /** Host name or IP address without brackets; "" for all addresses of both families. */
  host: string;
  port: number;
}

/** Reads `HOST:PORT`, `[IPV6]:PORT` or `:PORT`. Throws `CorefileError`. */
export function readHttpAddress(tokens: Dispenser, text: string): HttpAddress {
  const address = parseHttpAddress(text);
  if (address === null) {
    throw tokens.error(`${quote(text)} is not an address (HOST:PORT, [IPV6]:PORT or :PORT)`);
  }
  return address;
}

/** As `readHttpAddress`; null if it is not an address. */
export function parseHttpAddress(text: string): HttpAddress | null {
  const match = /^(?:\[([0-9a-fA-F:.%\w]+)\]|([^:[\]\s/]*)):([0-9]{1,5})$/.exec(text);
  if (match === null || Number(match[3]) > 65535) return null;
  return { host: match[1] ?? match[2]!, port: Number(match[3]) };
}

/**
 * Replaces `localhost` by 127.0.0.1, for servers and clients. The system's resolver could return ::1,
 * where another server may listen, or query the DNS server under test.
 */
export function literalHost(host: string): string {
  return host === "localhost" ? "127.0.0.1" : host;
}

/** An address in the syntax of the Corefile. */
export function httpAddressText({ host, port }: HttpAddress): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
