import { NetlinkError, NetlinkSocket, type Request } from "./socket.ts";
import {
  decodeAddress,
  decodeLink,
  encodeAddAddress,
  encodeAddLink,
  encodeDeleteAddress,
  encodeDeleteLink,
  encodeGetLink,
  encodeListAddresses,
  encodeListLinks,
  encodeSetLinkUp,
  type Link,
  type LinkAddress,
} from "./rtnetlink_messages.ts";
import {
  decodeSource,
  encodeDeleteLocalRoute,
  encodeGetRoute,
  encodeSetLocalRoute,
  type LocalRoute,
} from "./route_messages.ts";

/** Error numbers of the kernel's that mean something to callers. */
export const ERRNO = {
  PERM: 1,
  SRCH: 3,
  ACCES: 13,
  EXIST: 17,
  NODEV: 19,
  OPNOTSUPP: 95,
  ADDRNOTAVAIL: 99,
} as const;

/** An address to add or to take away. */
export type AddressRequest = Omit<LinkAddress, "duplicate">;

/**
 * Links, addresses and routes of local addresses in the process's network namespace.
 *
 * Each method is one exchange with the kernel and throws a NetlinkError if it refuses.
 */
export class Rtnetlink {
  readonly #socket: NetlinkSocket;

  /** Throws if the system has no netlink or does not allow it. */
  constructor() {
    this.#socket = new NetlinkSocket();
  }

  /** The link of a name, or null if there is none. */
  getLink(name: string): Link | null {
    const found = this.#socket.get((n) => encodeGetLink(name, n), ERRNO.NODEV);
    return found && decodeLink(found);
  }

  /** All links. */
  listLinks(): Link[] {
    return this.#socket.dump(encodeListLinks).map(decodeLink);
  }

  /** Makes a link; it is down. The kernel refuses kinds that it has not with OPNOTSUPP. */
  addLink(name: string, kind: string): void {
    this.#socket.run((n) => encodeAddLink(name, kind, n));
  }

  /** Sets a link up. */
  setLinkUp(index: number): void {
    this.#socket.run((n) => encodeSetLinkUp(index, n));
  }

  /** Deletes a link, and its addresses with it. Returns whether it was there. */
  deleteLink(index: number): boolean {
    return this.#wasThere((n) => encodeDeleteLink(index, n), ERRNO.NODEV);
  }

  /** Addresses of all links. */
  listAddresses(): LinkAddress[] {
    return this.#socket.dump(encodeListAddresses)
      .map(decodeAddress)
      .filter((address) => address !== null);
  }

  /** Adds an address. Where it is there already, nothing happens. */
  addAddress(address: AddressRequest): void {
    this.#wasThere((n) => encodeAddAddress(address, n), ERRNO.EXIST);
  }

  /** Takes an address away. Returns whether it was there. */
  deleteAddress(address: AddressRequest): boolean {
    return this.#wasThere((n) => encodeDeleteAddress(address, n), ERRNO.ADDRNOTAVAIL, ERRNO.NODEV);
  }

  /** Source of packets that this host sends to an address; null if no route leads there. */
  sourceTowards(destination: Uint8Array): Uint8Array | null {
    try {
      const [route] = this.#socket.dump((n) => encodeGetRoute(destination, n));
      return route === undefined ? null : decodeSource(route);
    } catch (error) {
      // There is none, or it refuses packets, for which the kernel has several numbers.
      if (error instanceof NetlinkError) return null;
      throw error;
    }
  }

  /**
   * Gives the host's own packets to a local address another source than that address itself. They
   * are delivered as before, and so is what comes for the address.
   */
  setLocalSource(route: LocalRoute, source: Uint8Array): void {
    // A route of IPv6 does not replace the kernel's own, which has a metric that no request can name:
    // it stands behind that until it goes.
    this.#socket.run((n) => encodeSetLocalRoute(route, source, n));
    if (route.bytes.length === 16) this.deleteLocalRoute(route);
  }

  /** Takes the route of a local address away. Returns whether it was there. */
  deleteLocalRoute(route: LocalRoute): boolean {
    return this.#wasThere((n) => encodeDeleteLocalRoute(route, n), ERRNO.SRCH, ERRNO.NODEV);
  }

  /** Closes the socket. */
  close(): void {
    this.#socket.close();
  }

  /** Whether a request was carried out, and not refused with one of some error numbers. */
  #wasThere(request: Request, ...errnos: number[]): boolean {
    try {
      this.#socket.run(request);
      return true;
    } catch (error) {
      if (error instanceof NetlinkError && errnos.includes(error.errno)) return false;
      throw error;
    }
  }
}
