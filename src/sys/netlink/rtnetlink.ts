import { AF, ERRNO } from "../constants.ts";
import { type Attribute, type NetlinkMessage, NLM_F, viewOf } from "./netlink.ts";
import {
  decodeAddress,
  decodeLink,
  decodeSource,
  IFA,
  IFADDRMSG,
  IFF_UP,
  IFLA,
  IFLA_INFO_KIND,
  type Link,
  type LinkAddress,
  RTA,
  RTM,
  RTMSG,
} from "./rtnetlink_messages.ts";
import { NetlinkError, NetlinkSocket } from "./socket.ts";

/** Address to add or delete. */
export type AddressRequest = Omit<LinkAddress, "duplicate">;
/** Delivers packets for a local address. */
type LocalRoute = Pick<LinkAddress, "index" | "bytes">;

const { ACK, DUMP } = NLM_F;
const NEW = ACK | NLM_F.CREATE | NLM_F.EXCLUSIVE;
/** Duplicate address detection takes a second. */
const IFA_F_NODAD = 0x02;
/** RT_TABLE_LOCAL, RTPROT_KERNEL, RT_SCOPE_HOST, RTN_LOCAL. */
const LOCAL = { table: 255, protocol: 2, hostScope: 254, type: 2 } as const;

/** Links, addresses and routes of this network namespace. Methods throw `NetlinkError`. */
export class Rtnetlink {
  readonly #socket: Pick<NetlinkSocket, "run" | "dump" | "close">;

  /** Throws if netlink is missing or not permitted. */
  constructor(socket: Pick<NetlinkSocket, "run" | "dump" | "close"> = new NetlinkSocket()) {
    this.#socket = socket;
  }

  getLink(name: string): Link | null {
    const found = this.#run(RTM.GETLINK, ACK, linkHeader(0), [[IFLA.IFNAME, name]], ERRNO.NODEV);
    return found?.[0] === undefined ? null : decodeLink(found[0]);
  }

  listLinks(): Link[] {
    const request = { type: RTM.GETLINK, flags: DUMP, header: linkHeader(0) };
    return this.#socket.dump(request).map(decodeLink);
  }

  /** The link is down. OPNOTSUPP: the kernel lacks the kind. */
  addLink(name: string, kind: string): void {
    const info: Attribute = [IFLA.LINKINFO, [[IFLA_INFO_KIND, kind]]];
    this.#run(RTM.NEWLINK, NEW, linkHeader(0), [[IFLA.IFNAME, name], info]);
  }

  setLinkUp(index: number): void {
    this.#run(RTM.NEWLINK, ACK, linkHeader(index, IFF_UP), []);
  }

  /** Returns whether it existed. */
  deleteLink(index: number): boolean {
    return this.#run(RTM.DELLINK, ACK, linkHeader(index), [], ERRNO.NODEV) !== null;
  }

  listAddresses(): LinkAddress[] {
    const request = { type: RTM.GETADDR, flags: DUMP, header: new Uint8Array(IFADDRMSG) };
    return this.#socket.dump(request).map(decodeAddress).filter((address) => address !== null);
  }

  /** Idempotent; skips IPv6 duplicate address detection. */
  addAddress(address: AddressRequest): void {
    const flags = address.bytes.length === 16 ? IFA_F_NODAD : 0;
    const attributes = addressAttributes(address);
    if (flags !== 0) attributes.push([IFA.FLAGS, flags]);
    this.#run(RTM.NEWADDR, NEW, addressHeader(address, flags), attributes, ERRNO.EXIST);
  }

  deleteAddress(address: AddressRequest): boolean {
    const [header, attributes] = [addressHeader(address, 0), addressAttributes(address)];
    const gone = [ERRNO.ADDRNOTAVAIL, ERRNO.NODEV];
    return this.#run(RTM.DELADDR, ACK, header, attributes, ...gone) !== null;
  }

  sourceTowards(destination: Uint8Array): Uint8Array | null {
    const header = routeHeader(destination);
    const attributes: Attribute[] = [[RTA.DST, destination]];
    try {
      const request = { type: RTM.GETROUTE, flags: ACK, header, attributes };
      const [route] = this.#socket.dump(request);
      return route === undefined ? null : decodeSource(route);
    } catch (error) {
      // No or a rejecting route; error numbers vary.
      if (error instanceof NetlinkError) return null;
      throw error;
    }
  }

  setLocalSource(route: LocalRoute, source: Uint8Array): void {
    // Adds a second IPv6 route, used once the first is deleted: no request can name the kernel
    // route's metric.
    const flags = ACK | NLM_F.CREATE | NLM_F.REPLACE;
    const attributes: Attribute[] = [...routeAttributes(route), [RTA.PREFSRC, source]];
    this.#run(RTM.NEWROUTE, flags, localRouteHeader(route), attributes);
    if (route.bytes.length === 16) this.deleteLocalRoute(route);
  }

  deleteLocalRoute(route: LocalRoute): boolean {
    const [header, attributes] = [localRouteHeader(route), routeAttributes(route)];
    return this.#run(RTM.DELROUTE, ACK, header, attributes, ERRNO.SRCH, ERRNO.NODEV) !== null;
  }

  close(): void {
    this.#socket.close();
  }

  /** Null if refused with one of `errnos`. */
  #run(
    type: number,
    flags: number,
    header: Uint8Array,
    attributes: Attribute[],
    ...errnos: number[]
  ): NetlinkMessage[] | null {
    try {
      return this.#socket.run({ type, flags, header, attributes });
    } catch (error) {
      if (error instanceof NetlinkError && errnos.includes(error.errno)) return null;
      throw error;
    }
  }
}

function linkHeader(index: number, set = 0): Uint8Array {
  return new Uint8Array(new Int32Array([0, index, set, set]).buffer);
}

function addressHeader({ bytes, prefixLength, index }: AddressRequest, flags: number): Uint8Array {
  const header = new Uint8Array(IFADDRMSG);
  header.set([familyOf(bytes), prefixLength, flags]);
  viewOf(header).setUint32(4, index, true);
  return header;
}

function addressAttributes({ bytes }: AddressRequest): Attribute[] {
  return [[IFA.LOCAL, bytes], [IFA.ADDRESS, bytes]];
}

function routeHeader(destination: Uint8Array): Uint8Array {
  const header = new Uint8Array(RTMSG);
  header.set([familyOf(destination), destination.length * 8]);
  return header;
}

function localRouteHeader({ bytes }: LocalRoute): Uint8Array {
  const header = routeHeader(bytes);
  // IPv6 routes have no scope.
  const scope = bytes.length === 4 ? LOCAL.hostScope : 0;
  header.set([LOCAL.table, LOCAL.protocol, scope, LOCAL.type], 4);
  return header;
}

function routeAttributes({ index, bytes }: LocalRoute): Attribute[] {
  return [[RTA.DST, bytes], [RTA.OIF, index]];
}

function familyOf(bytes: Uint8Array): number {
  return bytes.length === 4 ? AF.INET : AF.INET6;
}
