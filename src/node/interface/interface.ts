import { type Clock, systemClock } from "../../base/clock.ts";
import { ERRNO, Rtnetlink } from "../../sys/netlink/rtnetlink.ts";
import type { Link, LinkAddress } from "../../sys/netlink/rtnetlink_messages.ts";
import { NetlinkError } from "../../sys/netlink/socket.ts";
import { describeElsewhere } from "./elsewhere.ts";
import { explain } from "./explain.ts";
import {
  checkInterfaceName,
  type InterfaceKind,
  type InterfaceOptions,
  type LinkKind,
  type WantedAddress,
  wantedAddresses,
} from "./options.ts";
import { SourceAddress } from "./source_address.ts";
import { InterfaceWatch, MendPace } from "./watch.ts";

/** Interval between reads of notices; reading none is two system calls. */
const LOOK_MS = 100;

/** What `ensure` found and did. */
export interface EnsureResult {
  readonly kind: InterfaceKind;
  /** The link existed already. */
  readonly adopted: boolean;
  /** What was changed, in words; empty if nothing. */
  readonly changes: readonly string[];
}

/** The link with the addresses. */
interface Place {
  readonly kind: InterfaceKind;
  readonly link: Link;
}

/** What one `ensure` does. */
interface Work {
  readonly changes: string[];
  /** Steps that undo it, in the order of the work. */
  readonly undo: (() => void)[];
}

/**
 * Makes or adopts, keeps and removes the link with the addresses that the node's clients query.
 *
 * It is a dummy link. If the kernel has none, it is a bridge without ports, which works too; if the
 * kernel makes neither, the addresses are added to lo. An existing dummy or bridge without ports of
 * that name is adopted and then treated as made here.
 */
export class NodeInterface {
  readonly #name: string;
  readonly #wanted: readonly WantedAddress[];
  readonly #kinds: readonly (readonly [LinkKind, string])[];
  readonly #log: InterfaceOptions["log"];
  readonly #clock: Clock;
  readonly #pace = new MendPace();
  readonly #source: SourceAddress;
  #kernel: Rtnetlink | null = null;
  #endWatch: () => void = () => {};
  #place: Place | null = null;
  #adopted = false;
  /** Addresses were added to lo. */
  #onLo = false;
  /** Indexes of our links that were renamed or replaced by others. */
  readonly #strays = new Set<number>();
  /** Reported addresses of other links. */
  #elsewhere: readonly string[] = [];

  /** Throws a RangeError for an invalid name or address; touches nothing yet. */
  constructor({ name, addresses, log, kernelKinds, clock = systemClock }: InterfaceOptions) {
    checkInterfaceName(name);
    this.#name = name;
    this.#wanted = wantedAddresses(addresses);
    const { dummy = "dummy", bridge = "bridge" } = kernelKinds ?? {};
    this.#kinds = [["dummy", dummy], ["bridge", bridge]];
    this.#log = log;
    this.#clock = clock;
    this.#source = new SourceAddress(this.#wanted, {
      open: () => this.#open(),
      onRefused: (why) => this.#say("warning", `: Cannot change its route: ${why}`),
    });
  }

  /**
   * Makes the interface or repairs it; does nothing if all is well.
   *
   * Throws an Error with cause and remedy. The first call then leaves nothing behind, and a later one
   * has done what it could.
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
      // Last, so that every address is always on some link.
      work.changes.push(...this.#removeStrays().map((what) => `removed ${what}`));
      if (first) this.#reportStart(place, work);
      else if (work.changes.length > 0) this.#reportMend(work);
      return { kind: place.kind, adopted: this.#adopted, changes: work.changes };
    } catch (error) {
      if (first) this.#undo(work);
      else this.#reportMend(work);
      throw new Error(`Cannot set up the interface "${this.#name}": ${explain(error)}`, {
        cause: error,
      });
    }
  }

  /**
   * Calls back soon after a change to the interface, and once at the start; the callback should call
   * `ensure`, and must not throw. If repairs follow each other, it is called less often. Throws if no
   * netlink socket can be opened.
   */
  watch(onNotice: () => void): void {
    this.#endWatch();
    const socket = new InterfaceWatch(this.#pace);
    const cancel = this.#clock.every(LOOK_MS, () => {
      const index = this.#place?.link.index ?? 0;
      if (socket.look({ name: this.#name, index }, this.#clock.now())) onNotice();
    });
    this.#endWatch = () => {
      cancel();
      socket.close();
      this.#endWatch = () => {};
    };
  }

  /**
   * Makes the host's own queries to the addresses leave from another address of the host. The addresses
   * may be removed once earlier queries are answered: a later answer would be lost.
   *
   * @returns whether there may be any
   */
  yieldSource(): boolean {
    this.#endWatch();
    return this.#place !== null && this.#source.yieldOn(this.#place.link.index);
  }

  /** Undoes `yieldSource`, because another process keeps the addresses. */
  reclaimSource(): void {
    this.#source.reclaim();
  }

  /**
   * Removes the link, made or adopted, or the addresses from lo. A link that another program turned
   * into something else stays. A second call does nothing.
   *
   * @returns what was removed, in words
   */
  remove(): string[] {
    this.#endWatch();
    try {
      this.#source.removeRoutes();
      // It may have been renamed since the last check.
      if (this.#place !== null && this.#place.kind !== "lo") {
        this.#strays.add(this.#place.link.index);
      }
      const removed = [
        ...this.#removeLink(),
        ...this.#removeStrays(),
        ...this.#onLo ? this.#removeFrom(this.#lo()) : [],
      ];
      this.#forget();
      if (removed.length > 0) this.#say("info", `: removed ${removed.join(", ")}`);
      return removed;
    } catch (error) {
      throw new Error(`Cannot remove the interface "${this.#name}": ${explain(error)}`, {
        cause: error,
      });
    }
  }

  /** Closes the sockets; the interface stays. */
  close(): void {
    this.#endWatch();
    this.#kernel?.close();
    this.#kernel = null;
  }

  #open(): Rtnetlink {
    return this.#kernel ??= new Rtnetlink();
  }

  #say(level: "info" | "warning", text: string): void {
    this.#log(level, `interface ${this.#name}${text}`);
  }

  #forget(): void {
    this.#place = null;
    this.#adopted = this.#onLo = false;
  }

  /** The existing link; lo if the kernel makes no link; or null. */
  #find(): Place | null {
    const link = this.#open().getLink(this.#name);
    if (link === null) return this.#onLo ? { kind: "lo", link: this.#lo() } : null;
    const kind = this.#kindOf(link);
    // If our own link gets ports, somebody needs it, with the addresses.
    const known = this.#place?.link.index === link.index;
    if (kind === null || (!known && this.#hasPorts(link))) {
      const what = kind !== null
        ? "a bridge with ports"
        : link.kind === ""
        ? "a link of the system's own"
        : `a link of kind ${link.kind}`;
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
        // Another process may have made it since `#find`.
        const found = error.errno === ERRNO.EXIST ? this.#find() : null;
        if (found !== null) return found;
        if (error.errno !== ERRNO.OPNOTSUPP) throw error;
        refused.push(`${kind}: ${error.message}`);
        continue;
      }
      const link = kernel.getLink(this.#name);
      if (link === null) throw new Error("another program removed it at once; find that program");
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
    this.#say(
      "warning",
      `: ${instead}, since the kernel makes no ${refused.join(", no ")}; ` +
        `"modprobe dummy" before nodens starts gives the usual kind`,
    );
  }

  /** Sets the link up and adds missing addresses; tries every address before it throws. */
  #fill({ kind, link }: Place, work: Work): void {
    const kernel = this.#open();
    if (!link.up) {
      kernel.setLinkUp(link.index);
      work.changes.push("set it up");
    }
    if (kind === "lo") this.#onLo = true;
    const all = kernel.listAddresses();
    const present = all.filter(({ index }) => index === link.index);
    this.#reportElsewhere(
      all.filter(({ index }) => index !== link.index && !this.#strays.has(index)),
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
        const why = found === undefined ? "" : ", which was a duplicate";
        work.changes.push(`added ${wanted.text}${on}${why}`);
      } catch (error) {
        // The kernel will refuse all others as well.
        if (error instanceof NetlinkError && error.errno === ERRNO.PERM) throw error;
        faults.push(new Error(`adding ${wanted.text}: ${explain(error)}`, { cause: error }));
      }
    }
    if (faults.length > 0) throw new AggregateError(faults);
  }

  #reportElsewhere(others: readonly LinkAddress[]): void {
    const texts = describeElsewhere(this.#wanted, others, () => this.#open().listLinks());
    for (const text of new Set(texts)) {
      if (!this.#elsewhere.includes(text)) this.#say("warning", `: ${text}`);
    }
    this.#elsewhere = texts;
  }

  #reportStart({ kind }: Place, { changes }: Work): void {
    const found = this.#adopted ? [`adopted the link that was there, a ${kind}`] : [];
    this.#say("info", `: ${[...found, ...changes].join(", ") || "all was there"}`);
  }

  #reportMend({ changes }: Work): void {
    const delayMs = this.#pace.mended(this.#clock.now());
    if (changes.length === 0) return;
    const again = delayMs === 0
      ? ""
      : `; ${this.#pace.count} times in a row, so another program changes it as well: ` +
        `notices wait for ${delayMs / 1000} s`;
    this.#say("warning", ` was changed from outside: ${changes.join(", ")}${again}`);
  }

  #undo({ undo }: Work): void {
    this.#forget();
    for (const step of undo.toReversed()) {
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
      // If `#place` is null, `ensure` refused the bridge.
      if (this.#place === null) return [];
      this.#say("warning", ": the bridge stays, because it has ports now");
      return this.#removeFrom(link);
    }
    return kernel.deleteLink(link.index) ? [`the link, a ${kind}`] : [];
  }

  /** Removes our links that have other names; a bridge with ports loses only the addresses. */
  #removeStrays(): string[] {
    if (this.#strays.size === 0) return [];
    const kernel = this.#open();
    return kernel.listLinks().filter(({ index }) => this.#strays.delete(index)).flatMap((link) => {
      // `#removeLink` has dealt with the link of our name.
      if (link.name === this.#name || this.#kindOf(link) === null) return [];
      if (this.#hasPorts(link)) return this.#removeFrom(link);
      return kernel.deleteLink(link.index) ? [`the link that was renamed to ${link.name}`] : [];
    });
  }

  #removeFrom(link: Link): string[] {
    return this.#wanted
      .filter((wanted) =>
        !wanted.loopback && this.#open().deleteAddress({ ...wanted, index: link.index })
      )
      .map(({ text }) => `${text} from ${link.name}`);
  }

  #kindOf(link: Link): LinkKind | null {
    return this.#kinds.find(([, kernelKind]) => kernelKind === link.kind)?.[0] ?? null;
  }

  #hasPorts(link: Link): boolean {
    return link.kind === "bridge" &&
      this.#open().listLinks().some(({ master }) => master === link.index);
  }

  #lo(): Link {
    const link = this.#open().getLink("lo");
    if (link === null) throw new Error("this network namespace has no lo");
    return link;
  }
}

/** Compares addresses, and prefix lengths except on lo. */
function isAt(address: LinkAddress, wanted: WantedAddress, kind: InterfaceKind): boolean {
  return String(address.bytes) === String(wanted.bytes) &&
    (kind === "lo" || address.prefixLength === wanted.prefixLength);
}
