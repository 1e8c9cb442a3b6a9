import { NetlinkError } from "../../sys/netlink/socket.ts";
import { ERRNO, Rtnetlink } from "../../sys/netlink/rtnetlink.ts";
import type { Link, LinkAddress } from "../../sys/netlink/rtnetlink_messages.ts";
import { areEqual, ElsewhereWatch } from "./elsewhere.ts";
import {
  checkInterfaceName,
  type InterfaceKind,
  type InterfaceOptions,
  type LinkKind,
  type WantedAddress,
  wantedAddresses,
} from "./options.ts";
import { explain } from "./explain.ts";
import { MendPace } from "./mend_pace.ts";
import { SourceAddress } from "./source_address.ts";
import { InterfaceWatch } from "./watch.ts";

export type { InterfaceKind, InterfaceOptions } from "./options.ts";

/** How often notices are looked for. A look that finds none is two system calls. */
const LOOK_MS = 100;

/** What `ensure` found and did. */
export interface EnsureResult {
  readonly kind: InterfaceKind;
  /** The link was not made by this, but found. */
  readonly adopted: boolean;
  /** What had to be done, in words; empty if all was as it should be. */
  readonly changes: readonly string[];
}

/** Where the addresses belong. */
interface Place {
  readonly kind: InterfaceKind;
  readonly link: Link;
}

/** What one `ensure` does. */
interface Work {
  readonly changes: string[];
  /** How to take it back, the first step last. */
  readonly undo: (() => void)[];
}

/**
 * The link with the addresses that the node's clients ask: made or adopted, kept, and removed.
 *
 * It is a dummy link; on a kernel without those a bridge without ports, which serves as well; where
 * the kernel makes neither, the addresses are put on lo. A dummy or a bridge without ports that has
 * the name already is adopted, and belongs to this from then on.
 */
export class NodeInterface {
  readonly #name: string;
  readonly #wanted: readonly WantedAddress[];
  readonly #kinds: readonly (readonly [LinkKind, string])[];
  readonly #log: InterfaceOptions["log"];
  readonly #pace = new MendPace();
  #kernel: Rtnetlink | null = null;
  #watch: { socket: InterfaceWatch; timer: ReturnType<typeof setInterval> } | null = null;
  #place: Place | null = null;
  #adopted = false;
  /** Addresses were put on lo. */
  #onLo = false;
  /** Indexes of links that were ours and have lost the name, or their place, to another. */
  readonly #strays = new Set<number>();
  readonly #elsewhere: ElsewhereWatch;
  readonly #source: SourceAddress;

  /** Throws a RangeError for a name or an address that cannot be; touches nothing yet. */
  constructor(options: InterfaceOptions) {
    checkInterfaceName(options.name);
    this.#name = options.name;
    this.#wanted = wantedAddresses(options.addresses);
    const { dummy = "dummy", bridge = "bridge" } = options.kernelKinds ?? {};
    this.#kinds = [["dummy", dummy], ["bridge", bridge]];
    this.#log = options.log;
    this.#elsewhere = new ElsewhereWatch(
      this.#wanted,
      (text) => this.#log("warning", `${this.#title()}: ${text}`),
    );
    this.#source = new SourceAddress(this.#wanted, {
      open: () => this.#open(),
      onRefused: (why) => this.#log("warning", `${this.#title()}: Cannot change its route: ${why}`),
    });
  }

  /**
   * Makes the interface, or mends what is missing of it; does nothing if all is well.
   *
   * Throws an Error that says what is in the way and what would help; then the first call leaves
   * nothing behind, and a later one has done what it could.
   */
  ensure(): EnsureResult {
    const first = this.#place === null;
    const work: Work = { changes: [], undo: [] };
    try {
      const previous = this.#place;
      const place = this.#place = this.#find() ?? this.#make(work);
      if (previous !== null && previous.kind !== "lo") this.#strays.add(previous.link.index);
      this.#strays.delete(place.link.index);
      this.#fill(place, work);
      // Last, so that the addresses are never nowhere.
      work.changes.push(...this.#removeStrays().map((what) => `removed ${what}`));
      if (first) this.#reportStart(place, work);
      else if (work.changes.length > 0) this.#reportMend(work);
      return { kind: place.kind, adopted: this.#adopted, changes: work.changes };
    } catch (error) {
      if (first) this.#takeBack(work);
      else this.#reportMend(work);
      throw new Error(`Cannot set up the interface "${this.#name}": ${explain(error)}`, {
        cause: error,
      });
    }
  }

  /**
   * Calls back soon after something has changed the interface, and once at the start; `ensure` is
   * what to do then. Changes that follow one another fast are waited for, the longer the more
   * there are. Throws if no netlink socket can be opened. The callback must not throw.
   */
  watch(onNotice: () => void): void {
    this.#endWatch();
    const socket = new InterfaceWatch(this.#pace);
    const timer = setInterval(() => {
      const index = this.#place?.link.index ?? 0;
      if (socket.look({ name: this.#name, index }, performance.now())) onNotice();
    }, LOOK_MS);
    this.#watch = { socket, timer };
  }

  /**
   * Has the host's own queries to the addresses leave from another of its addresses from now on. The
   * addresses themselves can be removed once what was asked from them is answered: an answer that
   * comes later would find nobody.
   *
   * @returns whether there is anything to wait for
   */
  yieldSource(): boolean {
    this.#endWatch();
    return this.#place !== null && this.#source.yieldOn(this.#place.link.index);
  }

  /** Undoes `yieldSource`: another process goes on with the addresses. */
  reclaimSource(): void {
    this.#source.reclaim();
  }

  /**
   * Ends watching and takes away the link, made or adopted, or the addresses where they are on lo.
   * A link that has become something else meanwhile stays. A second call does nothing.
   *
   * @returns what was removed, in words
   */
  remove(): string[] {
    this.#endWatch();
    try {
      this.#source.removeRoutes();
      // It may have been renamed since it was last looked at.
      if (this.#place !== null && this.#place.kind !== "lo") {
        this.#strays.add(this.#place.link.index);
      }
      const removed = [
        ...this.#removeLink(),
        ...this.#removeStrays(),
        ...this.#onLo ? this.#removeFrom(this.#lo()) : [],
      ];
      this.#place = null;
      this.#adopted = this.#onLo = false;
      if (removed.length > 0) this.#log("info", `${this.#title()}: removed ${removed.join(", ")}`);
      return removed;
    } catch (error) {
      throw new Error(`Cannot remove the interface "${this.#name}": ${explain(error)}`, {
        cause: error,
      });
    }
  }

  /** Ends watching and closes the sockets; the interface stays. */
  close(): void {
    this.#endWatch();
    this.#kernel?.close();
    this.#kernel = null;
  }

  #open(): Rtnetlink {
    return this.#kernel ??= new Rtnetlink();
  }

  #endWatch(): void {
    if (this.#watch === null) return;
    clearInterval(this.#watch.timer);
    this.#watch.socket.close();
    this.#watch = null;
  }

  /** The link that is there; lo where that had to do; or null. */
  #find(): Place | null {
    const link = this.#open().getLink(this.#name);
    if (link === null) return this.#onLo ? { kind: "lo", link: this.#lo() } : null;
    const kind = this.#kindOf(link);
    // A link that is known may get ports: then somebody needs it, and the addresses with it.
    const known = this.#place?.link.index === link.index;
    if (kind === null || (!known && this.#hasPorts(link))) {
      const what = kind === null
        ? link.kind === "" ? "a link of the system's own" : `a link of kind ${link.kind}`
        : "a bridge with ports";
      throw new Error(`${what} has that name; choose another name, or remove that link`);
    }
    if (!known) this.#adopted = true;
    return { kind, link };
  }

  #make(work: Work): Place {
    const kernel = this.#open();
    const refused: string[] = [];
    for (const [kind, kernelKind] of this.#kinds) {
      try {
        kernel.addLink(this.#name, kernelKind);
      } catch (error) {
        if (!(error instanceof NetlinkError)) throw error;
        // Made by another process since we looked for it.
        const found = error.errno === ERRNO.EXIST ? this.#find() : null;
        if (found !== null) return found;
        if (error.errno !== ERRNO.OPNOTSUPP) throw error;
        refused.push(`${kind}: ${error.message}`);
        continue;
      }
      const link = kernel.getLink(this.#name);
      if (link === null) throw new Error("it was removed at once by something else; look for that");
      this.#adopted = false;
      work.undo.push(() => kernel.deleteLink(link.index));
      work.changes.push(`made the link, a ${kind}`);
      if (this.#place?.kind !== kind) this.#warnOf(refused, "it is a bridge without ports instead");
      return { kind, link };
    }
    this.#warnOf(refused, "its addresses are on lo, and there is no interface of that name");
    return { kind: "lo", link: this.#lo() };
  }

  #warnOf(refused: readonly string[], instead: string): void {
    if (refused.length === 0) return;
    this.#log(
      "warning",
      `${this.#title()}: ${instead}, since the kernel makes no ${refused.join(", no ")}; ` +
        `"modprobe dummy" before nodens starts gives the usual kind`,
    );
  }

  /** Sets the link up and adds the addresses that are missing; all that can be, before it throws. */
  #fill({ kind, link }: Place, work: Work): void {
    const kernel = this.#open();
    if (!link.up) {
      kernel.setLinkUp(link.index);
      work.changes.push("set it up");
    }
    if (kind === "lo") this.#onLo = true;
    const all = kernel.listAddresses();
    const present = all.filter(({ index }) => index === link.index);
    this.#elsewhere.look(
      all.filter(({ index }) => index !== link.index && !this.#strays.has(index)),
      () => kernel.listLinks(),
    );
    const faults: unknown[] = [];
    for (const wanted of this.#wanted) {
      const found = present.find((address) => isAt(address, wanted, kind));
      if (found !== undefined && !found.duplicate) continue;
      const request = { ...wanted, index: link.index };
      try {
        if (found !== undefined) kernel.deleteAddress(request);
        kernel.addAddress(request);
        work.undo.push(() => kernel.deleteAddress(request));
        const on = kind === "lo" ? " on lo" : "";
        work.changes.push(
          `added ${wanted.text}${on}${found === undefined ? "" : ", which was a duplicate"}`,
        );
      } catch (error) {
        // Nothing else will be allowed either.
        if (error instanceof NetlinkError && error.errno === ERRNO.PERM) throw error;
        faults.push(new Error(`adding ${wanted.text}: ${explain(error)}`, { cause: error }));
      }
    }
    if (faults.length > 0) throw new AggregateError(faults);
  }

  #reportStart({ kind }: Place, { changes }: Work): void {
    const found = this.#adopted ? [`adopted the link that was there, a ${kind}`] : [];
    const done = [...found, ...changes];
    this.#log("info", `${this.#title()}: ${done.join(", ") || "all was there"}`);
  }

  #reportMend({ changes }: Work): void {
    const delayMs = this.#pace.mended(performance.now());
    if (changes.length === 0) return;
    const again = delayMs === 0
      ? ""
      : `; ${this.#pace.count} times in a row, so something else changes it as well: ` +
        `notices wait for ${delayMs / 1000} s`;
    this.#log(
      "warning",
      `${this.#title()} was changed from outside: ${changes.join(", ")}${again}`,
    );
  }

  #takeBack({ undo }: Work): void {
    this.#place = null;
    this.#adopted = this.#onLo = false;
    for (const step of undo.reverse()) {
      try {
        step();
      } catch {
        // The first fault is reported, not this one.
      }
    }
  }

  #removeLink(): string[] {
    const kernel = this.#open();
    const link = kernel.getLink(this.#name);
    const kind = link && this.#kindOf(link);
    if (link === null || kind === null) return [];
    if (this.#hasPorts(link)) {
      // One that was refused.
      if (this.#place === null) return [];
      this.#log("warning", `${this.#title()}: the bridge stays, since it has got ports`);
      return this.#removeFrom(link);
    }
    return kernel.deleteLink(link.index) ? [`the link, a ${kind}`] : [];
  }

  /** Takes away what was ours under another name; what has got ports loses the addresses only. */
  #removeStrays(): string[] {
    if (this.#strays.size === 0) return [];
    const kernel = this.#open();
    return kernel.listLinks().filter(({ index }) => this.#strays.delete(index)).flatMap((link) => {
      // A bridge with ports that keeps the name stays as `removeLink` has left it.
      if (link.name === this.#name || this.#kindOf(link) === null) return [];
      if (this.#hasPorts(link)) return this.#removeFrom(link);
      return kernel.deleteLink(link.index) ? [`the link that was renamed to ${link.name}`] : [];
    });
  }

  #removeFrom(link: Link): string[] {
    return this.#wanted
      .filter(({ loopback }) => !loopback)
      .filter((wanted) => this.#open().deleteAddress({ ...wanted, index: link.index }))
      .map(({ text }) => `${text} from ${link.name}`);
  }

  #kindOf(link: Link): LinkKind | null {
    return this.#kinds.find(([, kernelKind]) => kernelKind === link.kind)?.[0] ?? null;
  }

  #hasPorts(link: Link): boolean {
    if (link.kind !== "bridge") return false;
    return this.#open().listLinks().some(({ master }) => master === link.index);
  }

  #lo(): Link {
    const link = this.#open().getLink("lo");
    if (link === null) throw new Error("this network namespace has no lo");
    return link;
  }

  #title(): string {
    return `interface ${this.#name}`;
  }
}

/** Whether an address is the wanted one. On lo one with another prefix length does as well. */
function isAt(address: LinkAddress, wanted: WantedAddress, kind: InterfaceKind): boolean {
  if (kind !== "lo" && address.prefixLength !== wanted.prefixLength) return false;
  return areEqual(address.bytes, wanted.bytes);
}
