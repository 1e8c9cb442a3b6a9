import type { Dispenser } from "../corefile/dispenser.ts";
import { quote } from "../corefile/quote.ts";

/** Address of an HTTP endpoint. */
export interface HttpAddress {
  /** Without brackets; "" for all addresses. */
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

/** As `readHttpAddress`; null if invalid. */
export function parseHttpAddress(text: string): HttpAddress | null {
  const match = /^(?:\[([0-9a-fA-F:.%\w]+)\]|([^:[\]\s/]*)):([0-9]{1,5})$/.exec(text);
  if (match === null || Number(match[3]) > 65535) return null;
  return { host: match[1] ?? match[2]!, port: Number(match[3]) };
}

/** Replaces `localhost`: a resolver could return ::1, or query the server under test. */
export function literalHost(host: string): string {
  return host === "localhost" ? "127.0.0.1" : host;
}

/** Address in Corefile syntax. */
export function httpAddressText({ host, port }: HttpAddress): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
