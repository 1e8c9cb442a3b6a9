import { quote } from "../corefile/quote.ts";
import { parseAddress } from "../dns/address.ts";
import type { ServerTransport } from "./options.ts";

/** CoreDNS's default ports by URL scheme. */
export const TRANSPORT_PORTS: Readonly<Record<ServerTransport, number>> = {
  dns: 53,
  tls: 853,
  https: 443,
};
const PORT = { min: 1, max: 65535 } as const;
const MAX_HOST_SIZE = 253;
const LABEL = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;

/** A TO without scheme: `ADDRESS[%SCOPE][%NAME][:PORT]` or `HOST[%NAME][:PORT]`. */
export interface WrittenEndpoint {
  /** Address with scope, or lower-case name without final dot. */
  host: string;
  isAddress: boolean;
  port: number | null;
  serverName: string;
}

/**
 * Null for an invalid host; throws the reason for other faults. `%` precedes an IPv6 interface
 * (plain DNS), the certificate's name (TLS), or both.
 */
export function parseEndpoint(text: string, transport: ServerTransport): WrittenEndpoint | null {
  const { host: written, marks, port, bracketed } = split(text);
  const bytes = parseAddress(written);
  let host = written;
  if (bytes === null) {
    const name = hostName(written);
    if (name === null || bracketed) return null;
    host = name;
  } else if (bytes.length === 16 && marks.length > 0) {
    const linkLocal = bytes[0] === 0xfe && (bytes[1]! & 0xc0) === 0x80;
    if (transport === "dns" || linkLocal) host += `%${readScope(marks.shift()!)}`;
  }
  if (host.endsWith("%") || marks.includes("")) throw new SyntaxError("nothing follows the %");
  const [name, extra] = marks;
  if (name !== undefined && transport === "dns") {
    throw new SyntaxError(
      `%${name} is for IPv6 addresses (their interface) and for tls:// and https:// (the name of ` +
        "the certificate)",
    );
  }
  if (extra !== undefined) throw new SyntaxError(`%${extra} is one % too many`);
  return {
    host,
    isAddress: bytes !== null,
    port: port === null ? null : readPort(port),
    serverName: name === undefined ? "" : parseServerName(name),
  };
}

/** Throws if invalid. */
export function parseServerName(text: string): string {
  if (parseAddress(text) !== null) return text;
  const name = hostName(text);
  if (name === null) throw new SyntaxError(`${quote(text)} is not a host name`);
  return name;
}

function readScope(text: string): string {
  if (/[\s[\]/]/.test(text)) throw new SyntaxError(`${quote(text)} is not a network interface`);
  return text;
}

function hostName(text: string): string | null {
  const name = text.toLowerCase().replace(/\.$/, "");
  const labels = name.split(".");
  if (name.length > MAX_HOST_SIZE || !labels.every((label) => LABEL.test(label))) return null;
  // A mistyped address: top-level domains are not numeric.
  return /^[0-9]+$/.test(labels.at(-1)!) ? null : name;
}

function split(
  text: string,
): { host: string; marks: string[]; port: string | null; bracketed: boolean } {
  const inBrackets = /^\[([^\[\]]+)\](%[^%:]*)?(?::(.*))?$/s.exec(text);
  if (inBrackets !== null) {
    const [, inner, outer, port = null] = inBrackets;
    const [host, ...marks] = inner!.split("%");
    if (outer !== undefined) marks.push(outer.slice(1));
    return { host: host!, marks, port, bracketed: true };
  }
  const marked = /^([^%]*)((?:%[^%:]*)+)(?::(.*))?$/s.exec(text);
  if (marked !== null) {
    const [, host, marks, port = null] = marked;
    return { host: host!, marks: marks!.slice(1).split("%"), port, bracketed: false };
  }
  // IPv6 without brackets and port.
  const [, host = text, port = null] = /^([^:]*):([^:]*)$/.exec(text) ?? [];
  return { host, marks: [], port, bracketed: false };
}

function readPort(text: string): number {
  const port = /^[0-9]{1,5}$/.test(text) ? Number(text) : 0;
  if (port < PORT.min || port > PORT.max) {
    throw new RangeError(`${quote(text)} is not a valid port (${PORT.min} to ${PORT.max})`);
  }
  return port;
}
