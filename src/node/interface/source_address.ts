import { parseAddress } from "../../dns/address.ts";
import type { AddressRequest, Rtnetlink } from "../../sys/netlink/rtnetlink.ts";
import { NetlinkError } from "../../sys/netlink/socket.ts";
import { explain } from "./explain.ts";
import type { WantedAddress } from "./options.ts";

/** Documentation addresses (RFC 5737, RFC 3849): packets to them take the default route. */
const ELSEWHERE: readonly Uint8Array[] = ["192.0.2.1", "2001:db8::1"]
  .map((text) => parseAddress(text)!);

/**
 * The source address of the host's own queries to nodens. By default the kernel chooses the queried
 * address itself, and an answer that arrives after its removal is lost. So the kernel is told to
 * choose another one before an address is removed.
 */
export class SourceAddress {
  readonly #wanted: readonly WantedAddress[];
  readonly #open: () => Rtnetlink;
  readonly #onRefused: (why: string) => void;
  /** Addresses that are no longer the source of the host's own queries. */
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
   * Changes the source of the host's own queries to the addresses of a link.
   *
   * @returns whether queries from the addresses may be in flight
   */
  yieldOn(index: number): boolean {
    for (const wanted of this.#wanted) {
      const source = wanted.loopback ? null : this.#otherSource(wanted);
      if (source === null) continue;
      const address = { ...wanted, index };
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
        // The kernel removes only routes of its own with their address: have it make this one again.
        kernel.deleteLocalRoute(address);
        kernel.deleteAddress(address);
        kernel.addAddress(address);
      });
    }
    this.#yielded = [];
  }

  /** Removes the routes that `yieldOn` has made. */
  removeRoutes(): void {
    for (const route of this.#yielded) this.#open().deleteLocalRoute(route);
    this.#yielded = [];
  }

  /** An address of this host that stays; null if there is none, or no default route. */
  #otherSource({ bytes }: WantedAddress): Uint8Array | null {
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
