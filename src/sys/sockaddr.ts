import { Address, parseAddress } from "../dns/address.ts";
import { AF, SOCK } from "./constants.ts";
import { cString, type Libc } from "./libc.ts";

/** Size of `struct sockaddr_in6`, rounded up to whole words. */
export const SOCKADDR_SIZE = 32;
const SIZE_IN = 16;
const SIZE_IN6 = 28;

/** Writes a socket address; returns its length. */
export function writeSockaddr(address: Address, bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, SOCKADDR_SIZE);
  view.setUint16(0, address.family === 4 ? AF.INET : AF.INET6, true);
  view.setUint16(2, address.port);
  if (address.family === 4) {
    for (let i = 0; i < 4; i++) view.setUint8(4 + i, address.bytes[i]!);
    return SIZE_IN;
  }
  view.setUint32(4, 0);
  for (let i = 0; i < 16; i++) view.setUint8(8 + i, address.bytes[i]!);
  view.setUint32(24, address.scope, true);
  return SIZE_IN6;
}

/** A new socket address. */
export function sockaddrOf(address: Address): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(SOCKADDR_SIZE);
  return bytes.subarray(0, writeSockaddr(address, bytes));
}

/** Reads a socket address. */
export function readSockaddr(view: DataView, offset: number, address: Address): void {
  const family = view.getUint16(offset, true);
  address.port = view.getUint16(offset + 2);
  address.scope = 0;
  if (family === AF.INET) {
    address.family = 4;
    for (let i = 0; i < 4; i++) address.bytes[i] = view.getUint8(offset + 4 + i);
  } else {
    address.family = 6;
    for (let i = 0; i < 16; i++) address.bytes[i] = view.getUint8(offset + 8 + i);
    address.scope = view.getUint32(offset + 24, true);
  }
}

/** Reads an IP socket's local address; null for other descriptors. */
export function readLocalAddress(libc: Libc, fd: number, address = new Address()): Address | null {
  const view = new DataView(new ArrayBuffer(SOCKADDR_SIZE));
  if (libc.getsockname(fd, view, new Uint32Array([SOCKADDR_SIZE])) < 0) return null;
  const family = view.getUint16(0, true);
  if (family !== AF.INET && family !== AF.INET6) return null;
  readSockaddr(view, 0, address);
  return address;
}

/** Opens a non-blocking socket for an address; negative on failure. */
export function openSocket(libc: Libc, { family }: Address, type: number): number {
  const domain = family === 4 ? AF.INET : AF.INET6;
  return libc.socket(domain, type | SOCK.NONBLOCK | SOCK.CLOEXEC, 0);
}

/** Interface index of a scope, or 0 (RFC 4007 section 11). */
export function scopeIndex(libc: Libc, scope: string): number {
  if (scope === "") return 0;
  return Number(scope) || libc.if_nametoindex(cString(scope));
}

/** Parses an IP address with optional scope, or returns null. */
export function parseSocketAddress(libc: Libc, host: string, port: number): Address | null {
  const [text, scope] = host.split("%");
  const bytes = parseAddress(text!);
  if (bytes === null) return null;
  const address = new Address();
  address.family = bytes.length === 4 ? 4 : 6;
  address.bytes.set(bytes);
  address.port = port;
  address.scope = scopeIndex(libc, scope ?? "");
  return address;
}

/** Whether an address is 0.0.0.0 or ::. */
export function isWildcard({ bytes }: Address): boolean {
  return bytes.every((octet) => octet === 0);
}

/** Formats an address: `127.0.0.1:53`, `[fe80::1%2]:53`. */
export function hostPort(address: Address): string {
  const { family, port, scope } = address;
  const host = scope === 0 ? address.hostname() : `${address.hostname()}%${scope}`;
  return family === 4 ? `${host}:${port}` : `[${host}]:${port}`;
}

/** Whether address, port and scope are equal. */
export function sameAddress(one: Address, other: Address): boolean {
  return one.port === other.port && one.scope === other.scope && one.sameHost(other);
}
