import type { Dispenser } from "../corefile/dispenser.ts";
import { quote } from "../corefile/quote.ts";

/** Where an HTTP endpoint listens. */
export interface HttpAddress {
  /** Host name or IP address without brackets; "" for all addresses of both families. */
  host: string;
  port: number;
}

/**
 * Reads `HOST:PORT`, `[IPV6]:PORT` or `:PORT`. Throws `CorefileError`.
 */
export function readHttpAddress(tokens: Dispenser, text: string): HttpAddress {
  const address = parseHttpAddress(text);
  if (address === null) {
    throw tokens.error(`${quote(text)} is no address (HOST:PORT, [IPV6]:PORT or :PORT)`);
  }
  return address;
}

/** As `readHttpAddress`; null if it is no such address. */
export function parseHttpAddress(text: string): HttpAddress | null {
  const match = /^(?:\[([0-9a-fA-F:.%\w]+)\]|([^:[\]\s/]*)):([0-9]{1,5})$/.exec(text);
  if (match === null || Number(match[3]) > 65535) return null;
  return { host: match[1] ?? match[2]!, port: Number(match[3]) };
}

/**
 * The address that a host name stands for: `localhost` is 127.0.0.1 for servers and clients alike.
 * The system's resolver could say ::1, where nobody or somebody else listens, or ask the very DNS
 * server whose state is in question.
 */
export function literalHost(host: string): string {
  return host === "localhost" ? "127.0.0.1" : host;
}

/** An address as a Corefile has it. */
export function httpAddressText({ host, port }: HttpAddress): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
