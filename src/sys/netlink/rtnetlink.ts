import { AF } from "../constants.ts";
import {
  type Attribute,
  type NetlinkMessage,
  type NetlinkRequest,
  NLM_F,
  viewOf,
} from "./netlink.ts";
import {
  type AddressRequest,
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
  type LocalRoute,
  RTA,
  RTM,
  RTMSG,
} from "./rtnetlink_messages.ts";
import { NetlinkError, NetlinkSocket } from "./socket.ts";

export type { AddressRequest } from "./rtnetlink_messages.ts";

/** Error numbers of netlink replies that callers distinguish. */
export const ERRNO = {
  PERM: 1,
  SRCH: 3,
  ACCES: 13,
  EXIST: 17,
  NODEV: 19,
  OPNOTSUPP: 95,
  ADDRNOTAVAIL: 99,
} as const;

const NEW = NLM_F.ACK | NLM_F.CREATE | NLM_F.EXCLUSIVE;
/** No duplicate address detection, during which the address cannot be used for a second. */
const IFA_F_NODAD = 0x02;
/** Fields of a local address's route: RT_TABLE_LOCAL, RTPROT_KERNEL, RT_SCOPE_HOST, RTN_LOCAL. */
const LOCAL = { table: 255, protocol: 2, hostScope: 254, type: 2 } as const;

/** Links, addresses and routes of this network namespace. Methods throw a NetlinkError. */
export class Rtnetlink {
  readonly #socket: Pick<NetlinkSocket, "run" | "dump" | "close">;

  /** Throws if the system has no netlink or does not allow it. */
  constructor(socket: Pick<NetlinkSocket, "run" | "dump" | "close"> = new NetlinkSocket()) {
    this.#socket = socket;
  }

  getLink(name: string): Link | null {
    const attributes: Attribute[] = [[IFLA.IFNAME, name]];
    const request = { type: RTM.GETLINK, flags: NLM_F.ACK, header: linkHeader(0), attributes };
    const found = this.#run(request, ERRNO.NODEV)?.[0];
    return found === undefined ? null : decodeLink(found);
  }

  listLinks(): Link[] {
    const request = { type: RTM.GETLINK, flags: NLM_F.DUMP, header: linkHeader(0) };
    return this.#socket.dump(request).map(decodeLink);
  }

  /** Adds a link; it is down. OPNOTSUPP means that the kernel lacks the kind. */
  addLink(name: string, kind: string): void {
    const info: Attribute = [IFLA.LINKINFO, [[IFLA_INFO_KIND, kind]]];
    const attributes: Attribute[] = [[IFLA.IFNAME, name], info];
    this.#run({ type: RTM.NEWLINK, flags: NEW, header: linkHeader(0), attributes });
  }

  setLinkUp(index: number): void {
    this.#run({ type: RTM.NEWLINK, flags: NLM_F.ACK, header: linkHeader(index, IFF_UP) });
  }

  deleteLink(index: number): boolean {
    const request = { type: RTM.DELLINK, flags: NLM_F.ACK, header: linkHeader(index) };
    return this.#run(request, ERRNO.NODEV) !== null;
  }

  listAddresses(): LinkAddress[] {
    const header = new Uint8Array(IFADDRMSG);
    return this.#socket.dump({ type: RTM.GETADDR, flags: NLM_F.DUMP, header })
      .map(decodeAddress)
      .filter((address) => address !== null);
  }

  /** Adds an address, unless it exists; an IPv6 one without duplicate address detection. */
  addAddress(address: AddressRequest): void {
    const flags = address.bytes.length === 16 ? IFA_F_NODAD : 0;
    const attributes = addressAttributes(address);
    if (flags !== 0) attributes.push([IFA.FLAGS, flags]);
    const header = addressHeader(address, flags);
    this.#run({ type: RTM.NEWADDR, flags: NEW, header, attributes }, ERRNO.EXIST);
  }

  deleteAddress(address: AddressRequest): boolean {
    const [header, attributes] = [addressHeader(address, 0), addressAttributes(address)];
    const request = { type: RTM.DELADDR, flags: NLM_F.ACK, header, attributes };
    return this.#run(request, ERRNO.ADDRNOTAVAIL, ERRNO.NODEV) !== null;
  }

  /** Source address of this host's packets to an address; null without a route. */
  sourceTowards(destination: Uint8Array): Uint8Array | null {
    const attributes: Attribute[] = [[RTA.DST, destination]];
    const header = routeHeader(destination);
    try {
      const [route] = this.#socket.dump({
        ...{ type: RTM.GETROUTE, flags: NLM_F.ACK, header, attributes },
      });
      return route === undefined ? null : decodeSource(route);
    } catch (error) {
      // No route, or one that rejects packets; the kernel has several error numbers for that.
      if (error instanceof NetlinkError) return null;
      throw error;
    }
  }

  /** Changes the source address of this host's own packets to a local address. */
  setLocalSource(route: LocalRoute, source: Uint8Array): void {
    // For IPv6 this does not replace the kernel's route, whose metric no request can name, but adds a
    // second route that is used once the first is deleted.
    const flags = NLM_F.ACK | NLM_F.CREATE | NLM_F.REPLACE;
    const attributes: Attribute[] = [...routeAttributes(route), [RTA.PREFSRC, source]];
    this.#run({ type: RTM.NEWROUTE, flags, header: localRouteHeader(route), attributes });
    if (route.bytes.length === 16) this.deleteLocalRoute(route);
  }

  deleteLocalRoute(route: LocalRoute): boolean {
    const [header, attributes] = [localRouteHeader(route), routeAttributes(route)];
    const request = { type: RTM.DELROUTE, flags: NLM_F.ACK, header, attributes };
    return this.#run(request, ERRNO.SRCH, ERRNO.NODEV) !== null;
  }

  close(): void {
    this.#socket.close();
  }

  /** Runs a request; null if the kernel refuses it with one of `errnos`. */
  #run(request: NetlinkRequest, ...errnos: number[]): NetlinkMessage[] | null {
    try {
      return this.#socket.run(request);
    } catch (error) {
      if (error instanceof NetlinkError && errnos.includes(error.errno)) return null;
      throw error;
    }
  }
}

/** @param set - flags to set; all others stay */
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
