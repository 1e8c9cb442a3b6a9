import type { NetlinkMessage, NetlinkRequest } from "./netlink.ts";
import * as messages from "./rtnetlink_messages.ts";
import type { AddressRequest, Link, LinkAddress, LocalRoute } from "./rtnetlink_messages.ts";
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

/**
 * Links, addresses and local routes in the process's network namespace. Methods throw a NetlinkError
 * if the kernel refuses.
 */
export class Rtnetlink {
  /** Opening it throws if the system has no netlink or does not allow it. */
  readonly #socket = new NetlinkSocket();

  /** The link of a name, or null. */
  getLink(name: string): Link | null {
    const found = this.#try(messages.getLink(name), ERRNO.NODEV)?.[0];
    return found === undefined ? null : messages.decodeLink(found);
  }

  listLinks(): Link[] {
    return this.#socket.dump(messages.listLinks()).map(messages.decodeLink);
  }

  /** Adds a link; it is down. OPNOTSUPP means that the kernel lacks the kind. */
  addLink(name: string, kind: string): void {
    this.#socket.run(messages.addLink(name, kind));
  }

  setLinkUp(index: number): void {
    this.#socket.run(messages.setLinkUp(index));
  }

  /** Deletes a link with its addresses; returns whether it existed. */
  deleteLink(index: number): boolean {
    return this.#try(messages.deleteLink(index), ERRNO.NODEV) !== null;
  }

  /** Addresses of all links. */
  listAddresses(): LinkAddress[] {
    return this.#socket.dump(messages.listAddresses())
      .map(messages.decodeAddress)
      .filter((address) => address !== null);
  }

  /** Adds an address, unless it exists. */
  addAddress(address: AddressRequest): void {
    this.#try(messages.addAddress(address), ERRNO.EXIST);
  }

  /** Deletes an address; returns whether it existed. */
  deleteAddress(address: AddressRequest): boolean {
    const gone = this.#try(messages.deleteAddress(address), ERRNO.ADDRNOTAVAIL, ERRNO.NODEV);
    return gone !== null;
  }

  /** Source address of this host's packets to an address; null without a route. */
  sourceTowards(destination: Uint8Array): Uint8Array | null {
    try {
      const [route] = this.#socket.dump(messages.getRoute(destination));
      return route === undefined ? null : messages.decodeSource(route);
    } catch (error) {
      // No route, or one that rejects packets; the kernel has several error numbers for that.
      if (error instanceof NetlinkError) return null;
      throw error;
    }
  }

  /**
   * Changes the source address of this host's own packets to a local address. Delivery of packets
   * does not change.
   */
  setLocalSource(route: LocalRoute, source: Uint8Array): void {
    // For IPv6 this does not replace the kernel's route, whose metric no request can name, but adds a
    // second route that is used once the first is deleted.
    this.#socket.run(messages.setLocalRoute(route, source));
    if (route.bytes.length === 16) this.deleteLocalRoute(route);
  }

  /** Deletes the route of a local address; returns whether it existed. */
  deleteLocalRoute(route: LocalRoute): boolean {
    return this.#try(messages.deleteLocalRoute(route), ERRNO.SRCH, ERRNO.NODEV) !== null;
  }

  close(): void {
    this.#socket.close();
  }

  /** Runs a request; null if the kernel refuses it with one of `errnos`. */
  #try(request: NetlinkRequest, ...errnos: number[]): NetlinkMessage[] | null {
    try {
      return this.#socket.run(request);
    } catch (error) {
      if (error instanceof NetlinkError && errnos.includes(error.errno)) return null;
      throw error;
    }
  }
}
