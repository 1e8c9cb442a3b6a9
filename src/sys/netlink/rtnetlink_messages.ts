/** Links, addresses and routes as netlink messages (RFC 3549 section 3), without a socket. */
import { AF } from "../constants.ts";
import {
  type Attribute,
  decodeAttributes,
  decodeNumber,
  decodeText,
  type NetlinkMessage,
  type NetlinkRequest,
  NLM_F,
  viewOf,
} from "./netlink.ts";

const RTM = {
  NEWLINK: 16,
  DELLINK: 17,
  GETLINK: 18,
  NEWADDR: 20,
  DELADDR: 21,
  GETADDR: 22,
  NEWROUTE: 24,
  DELROUTE: 25,
  GETROUTE: 26,
} as const;

/** Groups of notices as bits: links, IPv4 addresses, IPv6 addresses (RTNLGRP_ 1, 5 and 9). */
export const NOTICE_GROUPS = 1 << 0 | 1 << 4 | 1 << 8;
/** The group of links alone. */
export const LINK_NOTICES = 1 << 0;

const IFF_UP = 1;
const IFLA = { IFNAME: 3, MASTER: 10, LINKINFO: 18 } as const;
const IFLA_INFO_KIND = 1;
const IFA = { ADDRESS: 1, LOCAL: 2, FLAGS: 8 } as const;
/** No duplicate address detection, during which the address cannot be used for a second. */
const IFA_F_NODAD = 0x02;
const IFA_F_DADFAILED = 0x08;
const RTA = { DST: 1, OIF: 4, PREFSRC: 7 } as const;
/** `struct rtmsg` of a local address, from its table on: local table, kernel's protocol. */
const LOCAL_ROUTE = { table: 255, protocol: 2, hostScope: 254, localType: 2 } as const;
/** Size of `struct ifinfomsg`: family u8@0, type u16@2, index i32@4, flags u32@8, change u32@12. */
const IFINFOMSG = 16;
/** Size of `struct ifaddrmsg`: family, prefix length, flags and scope u8 each, index u32@4. */
const IFADDRMSG = 8;
/**
 * Size of `struct rtmsg`: family, lengths of destination and source, tos, table, protocol, scope and
 * type u8 each, flags u32@8.
 */
const RTMSG = 12;
const NEW = NLM_F.ACK | NLM_F.CREATE | NLM_F.EXCLUSIVE;

/** A network interface. */
export interface Link {
  readonly index: number;
  readonly name: string;
  /** "dummy", "bridge", …; empty if the kernel names none, as for physical devices and lo. */
  readonly kind: string;
  readonly up: boolean;
  /** Index of the bridge or bond that it is a port of, or 0. */
  readonly master: number;
}

/** An address on a link. */
export interface LinkAddress {
  readonly index: number;
  /** Four octets or sixteen. */
  readonly bytes: Uint8Array;
  readonly prefixLength: number;
  /** Another machine has this IPv6 address, so the kernel does not use it. */
  readonly duplicate: boolean;
}

/** An address to add or delete. */
export type AddressRequest = Omit<LinkAddress, "duplicate">;
/** The route by which packets for a local address are delivered. */
export type LocalRoute = Pick<LinkAddress, "index" | "bytes">;

/** A change that the kernel reports. */
export interface Notice {
  /** Index of the link concerned. */
  readonly index: number;
  /** Name of the link, if the link itself changed. */
  readonly name?: string;
}

export function getLink(name: string): NetlinkRequest {
  return link(RTM.GETLINK, NLM_F.ACK, { attributes: [[IFLA.IFNAME, name]] });
}

export function listLinks(): NetlinkRequest {
  return link(RTM.GETLINK, NLM_F.DUMP);
}

export function addLink(name: string, kind: string): NetlinkRequest {
  const attributes: Attribute[] = [[IFLA.IFNAME, name], [IFLA.LINKINFO, [[IFLA_INFO_KIND, kind]]]];
  return link(RTM.NEWLINK, NEW, { attributes });
}

export function setLinkUp(index: number): NetlinkRequest {
  return link(RTM.NEWLINK, NLM_F.ACK, { index, set: IFF_UP });
}

export function deleteLink(index: number): NetlinkRequest {
  return link(RTM.DELLINK, NLM_F.ACK, { index });
}

/** Lists the addresses of both families. */
export function listAddresses(): NetlinkRequest {
  return { type: RTM.GETADDR, flags: NLM_F.DUMP, header: new Uint8Array(IFADDRMSG) };
}

/** Adds an address; an IPv6 one without duplicate address detection. */
export function addAddress(request: AddressRequest): NetlinkRequest {
  const noDetection = request.bytes.length === 16 ? IFA_F_NODAD : 0;
  return address(RTM.NEWADDR, NEW, request, noDetection);
}

export function deleteAddress(request: AddressRequest): NetlinkRequest {
  return address(RTM.DELADDR, NLM_F.ACK, request, 0);
}

/** Asks for the route of packets to an address. */
export function getRoute(destination: Uint8Array): NetlinkRequest {
  const attributes: Attribute[] = [[RTA.DST, destination]];
  return { type: RTM.GETROUTE, flags: NLM_F.ACK, header: routeHeader(destination), attributes };
}

/** Adds or replaces the route of a local address. */
export function setLocalRoute(route: LocalRoute, source: Uint8Array): NetlinkRequest {
  const flags = NLM_F.ACK | NLM_F.CREATE | NLM_F.REPLACE;
  return localRoute(RTM.NEWROUTE, flags, route, [[RTA.PREFSRC, source]]);
}

export function deleteLocalRoute(route: LocalRoute): NetlinkRequest {
  return localRoute(RTM.DELROUTE, NLM_F.ACK, route, []);
}

export function decodeLink({ body }: NetlinkMessage): Link {
  if (body.length < IFINFOMSG) throw new RangeError(`Cannot read a link of ${body.length} octets`);
  const attributes = decodeAttributes(body.subarray(IFINFOMSG));
  const info = attributes.get(IFLA.LINKINFO);
  const master = attributes.get(IFLA.MASTER);
  return {
    index: viewOf(body).getInt32(4, true),
    name: decodeText(attributes.get(IFLA.IFNAME)),
    kind: info === undefined ? "" : decodeText(decodeAttributes(info).get(IFLA_INFO_KIND)),
    up: (viewOf(body).getUint32(8, true) & IFF_UP) !== 0,
    master: master === undefined ? 0 : decodeNumber(master),
  };
}

/** Decodes an address; null for one of a family other than IPv4 and IPv6. */
export function decodeAddress({ body }: NetlinkMessage): LinkAddress | null {
  if (body.length < IFADDRMSG) {
    throw new RangeError(`Cannot read an address of ${body.length} octets`);
  }
  const view = viewOf(body);
  const family = view.getUint8(0);
  const attributes = decodeAttributes(body.subarray(IFADDRMSG));
  // On a point-to-point link ADDRESS is the peer's; only there does IPv6 have LOCAL.
  const bytes = attributes.get(IFA.LOCAL) ?? attributes.get(IFA.ADDRESS);
  if (bytes?.length !== (family === AF.INET ? 4 : family === AF.INET6 ? 16 : -1)) return null;
  const flags = attributes.get(IFA.FLAGS);
  const bits = flags === undefined ? view.getUint8(2) : decodeNumber(flags);
  return {
    index: view.getUint32(4, true),
    bytes,
    prefixLength: view.getUint8(1),
    duplicate: (bits & IFA_F_DADFAILED) !== 0,
  };
}

/** Decodes a notice; null if it concerns neither links nor addresses. */
export function decodeNotice(message: NetlinkMessage): Notice | null {
  if (message.type === RTM.NEWLINK || message.type === RTM.DELLINK) {
    const { index, name } = decodeLink(message);
    return { index, name };
  }
  if (message.type !== RTM.NEWADDR && message.type !== RTM.DELADDR) return null;
  const address = decodeAddress(message);
  return address && { index: address.index };
}

/** Source address of packets on a route; null if the route names none. */
export function decodeSource({ body }: NetlinkMessage): Uint8Array | null {
  if (body.length < RTMSG) throw new RangeError(`Cannot read a route of ${body.length} octets`);
  return decodeAttributes(body.subarray(RTMSG)).get(RTA.PREFSRC) ?? null;
}

/** @param options - `set`: flags to set, all others unchanged */
function link(
  type: number,
  flags: number,
  { index = 0, set = 0, attributes = [] }: {
    index?: number;
    set?: number;
    attributes?: Attribute[];
  } = {},
): NetlinkRequest {
  const header = new Uint8Array(new Int32Array([0, index, set, set]).buffer);
  return { type, flags, header, attributes };
}

function address(
  type: number,
  flags: number,
  { bytes, index, prefixLength }: AddressRequest,
  addressFlags: number,
): NetlinkRequest {
  const header = new Uint8Array(IFADDRMSG);
  header.set([familyOf(bytes), prefixLength, addressFlags]);
  viewOf(header).setUint32(4, index, true);
  const attributes: Attribute[] = [[IFA.LOCAL, bytes], [IFA.ADDRESS, bytes]];
  if (addressFlags !== 0) attributes.push([IFA.FLAGS, addressFlags]);
  return { type, flags, header, attributes };
}

function localRoute(
  type: number,
  flags: number,
  { index, bytes }: LocalRoute,
  more: Attribute[],
): NetlinkRequest {
  const { table, protocol, hostScope, localType } = LOCAL_ROUTE;
  const header = routeHeader(bytes);
  // IPv6 routes have no scope.
  header.set([table, protocol, bytes.length === 4 ? hostScope : 0, localType], 4);
  return { type, flags, header, attributes: [[RTA.DST, bytes], [RTA.OIF, index], ...more] };
}

function routeHeader(destination: Uint8Array): Uint8Array {
  const header = new Uint8Array(RTMSG);
  header.set([familyOf(destination), destination.length * 8]);
  return header;
}

function familyOf(bytes: Uint8Array): number {
  return bytes.length === 4 ? AF.INET : AF.INET6;
}
