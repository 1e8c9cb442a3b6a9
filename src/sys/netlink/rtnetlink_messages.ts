/** Links and addresses as netlink messages (RFC 3549 section 3.3), without a socket. */
import { AF } from "../constants.ts";
import {
  decodeAttributes,
  decodeNumber,
  decodeText,
  encodeAttribute,
  encodeMessage,
  encodeNest,
  encodeNumber,
  encodeText,
  type NetlinkMessage,
  NLM_F,
} from "./netlink.ts";

/** Types of messages about links and addresses. */
export const RTM = {
  NEWLINK: 16,
  DELLINK: 17,
  GETLINK: 18,
  NEWADDR: 20,
  DELADDR: 21,
  GETADDR: 22,
} as const;

/** Groups of notices as bits: links, IPv4 addresses, IPv6 addresses (RTNLGRP_ 1, 5 and 9). */
export const NOTICE_GROUPS = 1 << 0 | 1 << 4 | 1 << 8;
/** The group of links alone. */
export const LINK_NOTICES = 1 << 0;

const IFF_UP = 1;
const IFLA = { IFNAME: 3, MASTER: 10, LINKINFO: 18 } as const;
const IFLA_INFO_KIND = 1;
const IFA = { ADDRESS: 1, LOCAL: 2, FLAGS: 8 } as const;
/** No duplicate address detection, which would keep the address from use for a second. */
const IFA_F_NODAD = 0x02;
const IFA_F_DADFAILED = 0x08;
/** Size of `struct ifinfomsg`: family u8@0, type u16@2, index i32@4, flags u32@8, change u32@12. */
const IFINFOMSG = 16;
/** Size of `struct ifaddrmsg`: family, prefix length, flags and scope u8 each, index u32@4. */
const IFADDRMSG = 8;

/** A network interface. */
export interface Link {
  readonly index: number;
  readonly name: string;
  /** "dummy", "bridge", …; empty if the kernel names none, as for real cards and lo. */
  readonly kind: string;
  readonly up: boolean;
  /** Index of the bridge or bond that it is a port of; 0 for none. */
  readonly master: number;
}

/** An address on a link. */
export interface LinkAddress {
  readonly index: number;
  /** Four octets or sixteen. */
  readonly bytes: Uint8Array;
  readonly prefixLength: number;
  /** Another machine was found to have this IPv6 address, so the kernel does not use it. */
  readonly duplicate: boolean;
}

/** A change that the kernel tells of. */
export interface Notice {
  /** Index of the link that it is about. */
  readonly index: number;
  /** Name of the link, if the link itself has changed. */
  readonly name?: string;
}

/** Asks for a link by its name. */
export function encodeGetLink(name: string, sequence: number): Uint8Array {
  const message = { type: RTM.GETLINK, flags: NLM_F.REQUEST | NLM_F.ACK, sequence };
  return encodeMessage(message, linkHeader(0), encodeText(IFLA.IFNAME, name));
}

/** Asks for all links. */
export function encodeListLinks(sequence: number): Uint8Array {
  const message = { type: RTM.GETLINK, flags: NLM_F.REQUEST | NLM_F.DUMP, sequence };
  return encodeMessage(message, linkHeader(0));
}

/** Makes a link. */
export function encodeAddLink(name: string, kind: string, sequence: number): Uint8Array {
  const flags = NLM_F.REQUEST | NLM_F.ACK | NLM_F.CREATE | NLM_F.EXCLUSIVE;
  return encodeMessage(
    { type: RTM.NEWLINK, flags, sequence },
    linkHeader(0),
    encodeText(IFLA.IFNAME, name),
    encodeNest(IFLA.LINKINFO, encodeText(IFLA_INFO_KIND, kind)),
  );
}

/** Sets a link up. */
export function encodeSetLinkUp(index: number, sequence: number): Uint8Array {
  const header = linkHeader(index);
  const view = new DataView(header.buffer);
  view.setUint32(8, IFF_UP, true);
  view.setUint32(12, IFF_UP, true);
  const message = { type: RTM.NEWLINK, flags: NLM_F.REQUEST | NLM_F.ACK, sequence };
  return encodeMessage(message, header);
}

/** Deletes a link. */
export function encodeDeleteLink(index: number, sequence: number): Uint8Array {
  const message = { type: RTM.DELLINK, flags: NLM_F.REQUEST | NLM_F.ACK, sequence };
  return encodeMessage(message, linkHeader(index));
}

/** Asks for all addresses of both families. */
export function encodeListAddresses(sequence: number): Uint8Array {
  const message = { type: RTM.GETADDR, flags: NLM_F.REQUEST | NLM_F.DUMP, sequence };
  return encodeMessage(message, new Uint8Array(IFADDRMSG));
}

/** Adds an address; for IPv6 without looking whether another machine has it. */
export function encodeAddAddress(
  address: Omit<LinkAddress, "duplicate">,
  sequence: number,
): Uint8Array {
  const flags = NLM_F.REQUEST | NLM_F.ACK | NLM_F.CREATE | NLM_F.EXCLUSIVE;
  return encodeAddress(RTM.NEWADDR, flags, address, sequence);
}

/** Takes an address away. */
export function encodeDeleteAddress(
  address: Omit<LinkAddress, "duplicate">,
  sequence: number,
): Uint8Array {
  return encodeAddress(RTM.DELADDR, NLM_F.REQUEST | NLM_F.ACK, address, sequence);
}

/** Reads a link. */
export function decodeLink({ body }: NetlinkMessage): Link {
  const view = new DataView(body.buffer, body.byteOffset, body.length);
  if (body.length < IFINFOMSG) throw new RangeError(`Cannot read a link of ${body.length} octets`);
  const attributes = decodeAttributes(body.subarray(IFINFOMSG));
  const name = attributes.get(IFLA.IFNAME);
  const info = attributes.get(IFLA.LINKINFO);
  const kind = info === undefined ? undefined : decodeAttributes(info).get(IFLA_INFO_KIND);
  const master = attributes.get(IFLA.MASTER);
  return {
    index: view.getInt32(4, true),
    name: name === undefined ? "" : decodeText(name),
    kind: kind === undefined ? "" : decodeText(kind),
    up: (view.getUint32(8, true) & IFF_UP) !== 0,
    master: master === undefined ? 0 : decodeNumber(master),
  };
}

/** Reads an address; null for one of a family other than IPv4 and IPv6. */
export function decodeAddress({ body }: NetlinkMessage): LinkAddress | null {
  if (body.length < IFADDRMSG) {
    throw new RangeError(`Cannot read an address of ${body.length} octets`);
  }
  const view = new DataView(body.buffer, body.byteOffset, body.length);
  const family = view.getUint8(0);
  const attributes = decodeAttributes(body.subarray(IFADDRMSG));
  // On a point-to-point link ADDRESS is the other end's; IPv6 names LOCAL only there.
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

/** Reads what a notice is about; null if it is about neither links nor addresses. */
export function decodeNotice(message: NetlinkMessage): Notice | null {
  if (message.type === RTM.NEWLINK || message.type === RTM.DELLINK) {
    const { index, name } = decodeLink(message);
    return { index, name };
  }
  if (message.type !== RTM.NEWADDR && message.type !== RTM.DELADDR) return null;
  const address = decodeAddress(message);
  return address && { index: address.index };
}

function encodeAddress(
  type: number,
  flags: number,
  address: Omit<LinkAddress, "duplicate">,
  sequence: number,
): Uint8Array {
  const { bytes, index, prefixLength } = address;
  const header = new Uint8Array(IFADDRMSG);
  const view = new DataView(header.buffer);
  view.setUint8(0, bytes.length === 4 ? AF.INET : AF.INET6);
  view.setUint8(1, prefixLength);
  view.setUint32(4, index, true);
  const attributes = [encodeAttribute(IFA.LOCAL, bytes), encodeAttribute(IFA.ADDRESS, bytes)];
  if (type === RTM.NEWADDR && bytes.length === 16) {
    view.setUint8(2, IFA_F_NODAD);
    attributes.push(encodeNumber(IFA.FLAGS, IFA_F_NODAD));
  }
  return encodeMessage({ type, flags, sequence }, header, ...attributes);
}

function linkHeader(index: number): Uint8Array<ArrayBuffer> {
  const header = new Uint8Array(IFINFOMSG);
  new DataView(header.buffer).setInt32(4, index, true);
  return header;
}
