import type { Dispenser } from "../corefile/dispenser.ts";
import { quote } from "../corefile/quote.ts";

/** Address of an HTTP endpoint. */
export interface HttpAddress {
  /** Without brackets; "" for all addresses. */
  host: string;
  port: number;
}

/** Next argument, if any. Throws `CorefileError`. */
export function readHttpAddress(tokens: Dispenser, host: string, port: number): HttpAddress {
  if (!tokens.nextArg()) return { host, port };
  const address = parseHttpAddress(tokens.value);
  if (address !== null) return address;
  const syntax = "HOST:PORT, [IPV6]:PORT or :PORT";
  throw tokens.error(`${quote(tokens.value)} is not an address (${syntax})`);
}

/** Parses `HOST:PORT`, `[IPV6]:PORT` or `:PORT`; null if invalid. */
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
