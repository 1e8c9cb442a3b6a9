/** Netlink messages of links, addresses and routes (RFC 3549 section 3). */
import { AF } from "../constants.ts";
import {
  decodeAttributes,
  decodeNumber,
  decodeText,
  type NetlinkMessage,
  viewOf,
} from "./netlink.ts";

/** Message types of links, addresses and routes. */
export const RTM = {
  ...{ NEWLINK: 16, DELLINK: 17, GETLINK: 18 },
  ...{ NEWADDR: 20, DELADDR: 21, GETADDR: 22 },
  ...{ NEWROUTE: 24, DELROUTE: 25, GETROUTE: 26 },
} as const;

/** Notices of links and addresses, as bits (RTNLGRP_ 1, 5 and 9). */
export const NOTICE_GROUPS = 1 << 0 | 1 << 4 | 1 << 8;
/** Notices of links, as a bit. */
export const LINK_NOTICES = 1 << 0;

/** Link flag: up. */
export const IFF_UP = 1;
/** Attributes of links. */
export const IFLA = { IFNAME: 3, MASTER: 10, LINKINFO: 18, LINK_NETNSID: 37 } as const;
/** Attribute in LINKINFO: the kind. */
export const IFLA_INFO_KIND = 1;
/** Attributes of addresses. */
export const IFA = { ADDRESS: 1, LOCAL: 2, FLAGS: 8 } as const;
const IFA_F_DADFAILED = 0x08;
/** Attributes of routes. */
export const RTA = { DST: 1, OIF: 4, PREFSRC: 7 } as const;
/** `struct ifinfomsg`: family u8@0, type u16@2, index i32@4, flags u32@8, change u32@12. */
const IFINFOMSG = 16;
/** `struct ifaddrmsg`: family, prefix length, flags, scope u8 each, index u32@4. */
export const IFADDRMSG = 8;
/** `struct rtmsg`: family, prefix lengths, tos, table, protocol, scope, type u8; flags u32@8. */
export const RTMSG = 12;

/** A network interface. */
export interface Link {
  readonly index: number;
  readonly name: string;
  /** "dummy", "bridge", …; empty for physical devices and lo. */
  readonly kind: string;
  readonly up: boolean;
  /** Its bridge or bond. */
  readonly master: number;
  /** Its peer or lower device is in another network namespace. */
  readonly elsewhere: boolean;
}

/** An address on a link. */
export interface LinkAddress {
  readonly index: number;
  /** Four or sixteen octets. */
  readonly bytes: Uint8Array;
  readonly prefixLength: number;
  /** In use by another machine. */
  readonly duplicate: boolean;
}

interface Notice {
  readonly index: number;
  readonly name?: string;
}

/** Decodes a link. */
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
    elsewhere: attributes.has(IFLA.LINK_NETNSID),
  };
}

/** Decodes an address; null if neither IPv4 nor IPv6. */
export function decodeAddress({ body }: NetlinkMessage): LinkAddress | null {
  if (body.length < IFADDRMSG) {
    throw new RangeError(`Cannot read an address of ${body.length} octets`);
  }
  const view = viewOf(body);
  const family = view.getUint8(0);
  const attributes = decodeAttributes(body.subarray(IFADDRMSG));
  // On point-to-point links, ADDRESS is the peer's; only there does IPv6 have LOCAL.
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

/** Decodes a notice; null if about anything else. */
export function decodeNotice(message: NetlinkMessage): Notice | null {
  if (message.type === RTM.NEWLINK || message.type === RTM.DELLINK) {
    const { index, name } = decodeLink(message);
    return { index, name };
  }
  if (message.type !== RTM.NEWADDR && message.type !== RTM.DELADDR) return null;
  const address = decodeAddress(message);
  return address && { index: address.index };
}

/** Source address of packets on a route, or null. */
export function decodeSource({ body }: NetlinkMessage): Uint8Array | null {
  if (body.length < RTMSG) throw new RangeError(`Cannot read a route of ${body.length} octets`);
  return decodeAttributes(body.subarray(RTMSG)).get(RTA.PREFSRC) ?? null;
}
