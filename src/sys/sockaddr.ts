import type { Address } from "../dns/address.ts";
import { AF } from "./constants.ts";
import type { Libc } from "./libc.ts";

/** Size of the larger of the two, `struct sockaddr_in6`, rounded up to whole words. */
export const SOCKADDR_SIZE = 32;
/** Length to pass for IPv4. */
const SIZE_IN = 16;
/** Length to pass for IPv6. */
const SIZE_IN6 = 28;

/** Writes a socket address; returns the length to pass. */
export function writeSockaddr(address: Address, bytes: Uint8Array, offset = 0): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, SOCKADDR_SIZE);
  if (address.family === 4) {
    view.setUint16(0, AF.INET, true);
    view.setUint16(2, address.port);
    for (let i = 0; i < 4; i++) view.setUint8(4 + i, address.bytes[i]!);
    return SIZE_IN;
  }
  view.setUint16(0, AF.INET6, true);
  view.setUint16(2, address.port);
  view.setUint32(4, 0);
  for (let i = 0; i < 16; i++) view.setUint8(8 + i, address.bytes[i]!);
  view.setUint32(24, address.scope, true);
  return SIZE_IN6;
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

/** Index of the interface that a scope names, or 0 if there is none (RFC 4007 section 11). */
export function scopeIndex(libc: Libc, scope: string): number {
  if (scope === "") return 0;
  return Number(scope) || libc.if_nametoindex(new TextEncoder().encode(`${scope}\0`));
}
