/** Routes as netlink messages (RFC 3549 section 3.1), without a socket. */
import { AF } from "../constants.ts";
import {
  decodeAttributes,
  encodeAttribute,
  encodeMessage,
  encodeNumber,
  type NetlinkMessage,
  NLM_F,
} from "./netlink.ts";

/** Types of messages about routes. */
const RTM = { NEWROUTE: 24, DELROUTE: 25, GETROUTE: 26 } as const;
const RTA = { DST: 1, OIF: 4, PREFSRC: 7 } as const;
/** The table of what is local, and what its routes are like. */
const TABLE_LOCAL = 255;
const PROTOCOL_KERNEL = 2;
const SCOPE_HOST = 254;
const TYPE_LOCAL = 2;
/**
 * Size of `struct rtmsg`: family, lengths of destination and source, tos, table, protocol, scope and
 * type u8 each, flags u32@8.
 */
const RTMSG = 12;

/** The route by which packets for a local address are delivered. */
export interface LocalRoute {
  /** Index of the link that has the address. */
  readonly index: number;
  /** Four octets or sixteen. */
  readonly bytes: Uint8Array;
}

/** Asks how a packet to an address would leave. */
export function encodeGetRoute(destination: Uint8Array, sequence: number): Uint8Array {
  const header = routeHeader(destination);
  const message = { type: RTM.GETROUTE, flags: NLM_F.REQUEST | NLM_F.ACK, sequence };
  return encodeMessage(message, header, encodeAttribute(RTA.DST, destination));
}

/** The source that packets over a route get; null if it names none. */
export function decodeSource({ body }: NetlinkMessage): Uint8Array | null {
  if (body.length < RTMSG) throw new RangeError(`Cannot read a route of ${body.length} octets`);
  return decodeAttributes(body.subarray(RTMSG)).get(RTA.PREFSRC)?.slice() ?? null;
}

/** Makes a route of a local address, or puts it in the place of the one that is there. */
export function encodeSetLocalRoute(
  route: LocalRoute,
  source: Uint8Array,
  sequence: number,
): Uint8Array {
  const flags = NLM_F.REQUEST | NLM_F.ACK | NLM_F.CREATE | NLM_F.REPLACE;
  return encodeLocalRoute(RTM.NEWROUTE, flags, sequence, [
    ...localAttributes(route),
    encodeAttribute(RTA.PREFSRC, source),
  ], route);
}

/** Takes the route of a local address away. */
export function encodeDeleteLocalRoute(route: LocalRoute, sequence: number): Uint8Array {
  const flags = NLM_F.REQUEST | NLM_F.ACK;
  return encodeLocalRoute(RTM.DELROUTE, flags, sequence, localAttributes(route), route);
}

function encodeLocalRoute(
  type: number,
  flags: number,
  sequence: number,
  attributes: Uint8Array[],
  { bytes }: LocalRoute,
): Uint8Array {
  const header = routeHeader(bytes);
  header[4] = TABLE_LOCAL;
  header[5] = PROTOCOL_KERNEL;
  // IPv6 has no scopes of routes.
  header[6] = bytes.length === 4 ? SCOPE_HOST : 0;
  header[7] = TYPE_LOCAL;
  return encodeMessage({ type, flags, sequence }, header, ...attributes);
}

function localAttributes({ index, bytes }: LocalRoute): Uint8Array[] {
  return [encodeAttribute(RTA.DST, bytes), encodeNumber(RTA.OIF, index)];
}

function routeHeader(destination: Uint8Array): Uint8Array<ArrayBuffer> {
  const header = new Uint8Array(RTMSG);
  header[0] = destination.length === 4 ? AF.INET : AF.INET6;
  header[1] = destination.length * 8;
  return header;
}
