import { parseAddress } from "../../dns/address.ts";
import type { AddressRequest, Rtnetlink } from "../../sys/netlink/rtnetlink.ts";
import { NetlinkError } from "../../sys/netlink/socket.ts";
import { explain } from "./explain.ts";
import type { WantedAddress } from "./options.ts";

/** Addresses that nobody has (RFC 5737, RFC 3849): packets to them would leave as most others do. */
const ELSEWHERE: readonly Uint8Array[] = ["192.0.2.1", "2001:db8::1"].map((text) =>
  parseAddress(text)!
);

/**
 * Which address the host's own queries to nodens come from. Unless told otherwise the kernel chooses
 * the address that is asked; an answer that comes after that address was removed finds nobody. So
 * before it is removed the kernel is told to choose another one.
 */
export class SourceAddress {
  readonly #wanted: readonly WantedAddress[];
  readonly #open: () => Rtnetlink;
  readonly #onRefused: (why: string) => void;
  /** Addresses that the host's own queries no longer have as their source. */
  #yielded: AddressRequest[] = [];

  /** @param options - `onRefused`: the kernel refuses to change a route, which costs some answers */
  constructor(
    wanted: readonly WantedAddress[],
    { open, onRefused }: { open: () => Rtnetlink; onRefused: (why: string) => void },
  ) {
    this.#wanted = wanted;
    this.#open = open;
    this.#onRefused = onRefused;
  }

  /**
   * Has the host's own queries to the addresses on a link leave from another address of the host.
   *
   * @returns whether queries may be under way from the addresses
   */
  yieldOn(index: number): boolean {
    for (const wanted of this.#wanted) {
      if (wanted.loopback) continue;
      const address = { ...wanted, index };
      const source = this.#otherSource(address);
      if (source === null) continue;
      this.#yielded.push(address);
      this.#change(() => this.#open().setLocalSource(address, source));
    }
    return this.#yielded.length > 0;
  }

  /** Undoes `yieldOn`. */
  reclaim(): void {
    const kernel = this.#open();
    for (const address of this.#yielded) {
      this.#change(() => {
        if (address.bytes.length === 4) return kernel.setLocalSource(address, address.bytes);
        // Only a route that the kernel has made itself goes with its address.
        kernel.deleteLocalRoute(address);
        kernel.deleteAddress(address);
        kernel.addAddress(address);
      });
    }
    this.#yielded = [];
  }

  /** Removes the routes that `yieldOn` has made: the kernel removes only its own. */
  removeRoutes(): void {
    for (const route of this.#yielded) this.#open().deleteLocalRoute(route);
    this.#yielded = [];
  }

  /** An address of this host that is not going to be removed; null without one, or a way out. */
  #otherSource({ bytes }: AddressRequest): Uint8Array | null {
    const elsewhere = ELSEWHERE.find(({ length }) => length === bytes.length)!;
    const source = this.#open().sourceTowards(elsewhere);
    const text = String(source);
    return this.#wanted.some((wanted) => String(wanted.bytes) === text) ? null : source;
  }

  #change(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!(error instanceof NetlinkError)) throw error;
      this.#onRefused(explain(error));
    }
  }
}
