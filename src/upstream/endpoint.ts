import { quote } from "../corefile/quote.ts";
import { parseAddress } from "../dns/address.ts";
import type { ServerTransport } from "./options.ts";

/** Transports by the scheme that asks for them, each with its usual port (CoreDNS's). */
export const TRANSPORT_PORTS: Readonly<Record<ServerTransport, number>> = {
  dns: 53,
  tls: 853,
  https: 443,
};
const PORT = { min: 1, max: 65535 } as const;
const MAX_HOST_SIZE = 253;
const LABEL = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;

/** A TO without its scheme, taken apart: `ADDRESS[%SCOPE][%NAME][:PORT]` or `HOST[%NAME][:PORT]`. */
export interface Endpoint {
  /** IP address with its scope, or host name in lower case without closing dot. */
  host: string;
  isAddress: boolean;
  /** Null where none is written. */
  port: number | null;
  /** Name behind a `%`; empty where there is none. */
  serverName: string;
}

/**
 * Reads an address or a host name with what may stand behind it. Null where it is neither; throws
 * an error that says what is wrong where the host is good and the rest is not.
 *
 * Behind the `%` of plain DNS stands the interface of an IPv6 address. With TLS it is the name that
 * the certificate must carry, but for link-local addresses, which go nowhere without an interface:
 * theirs comes first.
 */
export function parseEndpoint(text: string, transport: ServerTransport): Endpoint | null {
  const parts = split(text);
  if (parts === null) return null;
  const { marks } = parts;
  const bytes = parseAddress(parts.host);
  let host = parts.host;
  if (bytes === null) {
    const name = hostName(parts.host);
    if (name === null || parts.bracketed) return null;
    host = name;
  } else if (bytes.length === 16 && marks.length > 0) {
    const linkLocal = bytes[0] === 0xfe && (bytes[1]! & 0xc0) === 0x80;
    if (transport === "dns" || linkLocal) host += `%${readScope(marks.shift()!)}`;
  }
  if (host.endsWith("%") || marks.includes("")) throw new SyntaxError("nothing follows the %");
  if (marks.length > 0 && transport === "dns") {
    throw new SyntaxError(
      `%${
        marks[0]
      } is for IPv6 addresses (their interface) and for tls:// and https:// (the name ` +
        "of the certificate)",
    );
  }
  if (marks.length > 1) throw new SyntaxError(`%${marks[1]} is one % too many`);
  return {
    host,
    isAddress: bytes !== null,
    port: parts.port === null ? null : readPort(parts.port),
    serverName: marks.length > 0 ? parseServerName(marks[0]!) : "",
  };
}

/** A certificate's name: host name in lower case, or IP address. Throws where it is neither. */
export function parseServerName(text: string): string {
  if (parseAddress(text) !== null) return text;
  const name = hostName(text);
  if (name === null) throw new SyntaxError(`${quote(text)} is no host name`);
  return name;
}

/** Name or number of a network interface; brackets and slashes are in none. */
function readScope(text: string): string {
  if (/[\s[\]/]/.test(text)) throw new SyntaxError(`${quote(text)} is no network interface`);
  return text;
}

/** Host name in lower case without closing dot; null where it is none. */
function hostName(text: string): string | null {
  const name = text.toLowerCase().replace(/\.$/, "");
  const labels = name.split(".");
  if (name.length > MAX_HOST_SIZE || !labels.every((label) => LABEL.test(label))) return null;
  // No top-level domain is a number: this is a mistyped address.
  return /^[0-9]+$/.test(labels.at(-1)!) ? null : name;
}

interface Parts {
  host: string;
  /** What stands behind each %. */
  marks: string[];
  port: string | null;
  bracketed: boolean;
}

function split(text: string): Parts | null {
  const bracketed = /^\[([^\[\]]+)\](%[^%:]*)?(?::(.*))?$/s.exec(text);
  if (bracketed !== null) {
    const [, inner, outer, port] = bracketed;
    const [host, ...marks] = inner!.split("%");
    if (outer !== undefined) marks.push(outer.slice(1));
    return { host: host!, marks, port: port ?? null, bracketed: true };
  }
  const marked = /^([^%]*)((?:%[^%:]*)+)(?::(.*))?$/s.exec(text);
  if (marked !== null) {
    const [, host, marks, port] = marked;
    return { host: host!, marks: marks!.slice(1).split("%"), port: port ?? null, bracketed: false };
  }
  const colon = text.indexOf(":");
  // More than one colon and no brackets: all of it is an IPv6 address.
  const whole = colon < 0 || text.includes(":", colon + 1);
  return {
    host: whole ? text : text.slice(0, colon),
    marks: [],
    port: whole ? null : text.slice(colon + 1),
    bracketed: false,
  };
}

function readPort(text: string): number {
  const port = /^[0-9]{1,5}$/.test(text) ? Number(text) : 0;
  if (port < PORT.min || port > PORT.max) {
    throw new RangeError(`${quote(text)} is no valid port (${PORT.min} to ${PORT.max})`);
  }
  return port;
}
