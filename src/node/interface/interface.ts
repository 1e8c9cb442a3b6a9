import { type Clock, systemClock } from "../../base/clock.ts";
import { ERRNO } from "../../sys/constants.ts";
import { type AddressRequest, Rtnetlink } from "../../sys/netlink/rtnetlink.ts";
import type { Link, LinkAddress } from "../../sys/netlink/rtnetlink_messages.ts";
import { NetlinkError } from "../../sys/netlink/socket.ts";
import {
  describeElsewhere,
  planOtherSource,
  restoreSource,
  type WantedAddress,
  wantedAddresses,
} from "./addresses.ts";
import {
  checkInterfaceName,
  explain,
  type InterfaceKind,
  type InterfaceOptions,
  type LinkKind,
} from "./options.ts";
import { InterfaceWatch, RepairPace } from "./watch.ts";

const LOOK_MS = 100;

/** Result of `ensure`. */
export interface EnsureResult {
  readonly kind: InterfaceKind;
  readonly adopted: boolean;
  readonly changes: readonly string[];
}

interface Work {
  readonly changes: string[];
  readonly undo: (() => void)[];
}

/** Link with the node's addresses: dummy, else bridge, else lo. Adopts a suitable existing one. */
export class NodeInterface {
  readonly #name: string;
  readonly #wanted: readonly WantedAddress[];
  readonly #kinds: readonly (readonly [LinkKind, string])[];
  readonly #log: InterfaceOptions["log"];
  readonly #clock: Clock;
  readonly #pace = new RepairPace();
  #yielded: AddressRequest[] = [];
  #kernel: Rtnetlink | null = null;
  #endWatch: () => void = () => {};
  #link: Link | null = null;
  #adopted = false;
  #onLo = false;
  readonly #strays = new Set<number>();
  #elsewhere: readonly string[] = [];

  /** Throws `RangeError` for an invalid name or address. */
  constructor({ name, addresses, log, kernelKinds, clock = systemClock }: InterfaceOptions) {
    checkInterfaceName(name);
    this.#name = name;
    this.#wanted = wantedAddresses(addresses);
    const { dummy = "dummy", bridge = "bridge" } = kernelKinds ?? {};
    this.#kinds = [["dummy", dummy], ["bridge", bridge]];
    this.#log = log;
    this.#clock = clock;
  }

  /** Creates or repairs the interface. Throws with cause and remedy; undoes a failed first call. */
  ensure(): EnsureResult {
    const first = this.#link === null;
    const work: Work = { changes: [], undo: [] };
    try {
      const previous = this.#link;
      const link = this.#link = this.#find() ?? this.#make(work);
      if (previous !== null && this.#kindOf(previous) !== "lo") this.#strays.add(previous.index);
      this.#strays.delete(link.index);
      this.#fill(link, work);
      // Last: every address stays on some link.
      if (this.#strays.size > 0) {
        const isStray = ({ name, index }: Link) =>
          this.#strays.delete(index) && name !== this.#name;
        work.changes.push(...this.#removeLinks(isStray).map((what) => `removed ${what}`));
      }
      const kind = this.#kindOf(link);
      const { changes } = work;
      if (first) {
        const found = this.#adopted ? [`adopted the link that was there, a ${kind}`] : [];
        this.#say("info", `: ${[...found, ...changes].join(", ") || "all was there"}`);
      } else if (changes.length > 0) this.#reportRepair(work);
      return { kind, adopted: this.#adopted, changes };
    } catch (error) {
      if (first) this.#undo(work);
      else this.#reportRepair(work);
      throw this.#failure("set up", error);
    }
  }

  /** Calls back once and after changes; it must not throw. Throws without a netlink socket. */
  watch(onNotice: () => void): void {
    this.#endWatch();
    const socket = new InterfaceWatch(this.#pace);
    const cancel = this.#clock.every(LOOK_MS, () => {
      const index = this.#link?.index ?? 0;
      if (socket.look({ name: this.#name, index }, this.#clock.now())) onNotice();
    });
    this.#endWatch = () => {
      cancel();
      socket.close();
      this.#endWatch = () => {};
    };
  }

  /** Changes the source of the host's queries; returns whether earlier ones may be in flight. */
  yieldSource(): boolean {
    this.#endWatch();
    for (const one of this.#wanted) {
      if (this.#link === null || one.loopback) continue;
      const address = { ...one, index: this.#link.index };
      const change = planOtherSource(this.#open(), address, this.#wanted);
      if (change === null) continue;
      this.#yielded.push(address);
      this.#changeRoute(change);
    }
    return this.#yielded.length > 0;
  }

  reclaimSource(): void {
    const kernel = this.#open();
    for (const one of this.#yielded) this.#changeRoute(() => restoreSource(kernel, one));
    this.#yielded = [];
  }

  /** Removes link or addresses unless another program uses them; returns what was removed. */
  remove(): string[] {
    this.#endWatch();
    try {
      for (const route of this.#yielded) this.#open().deleteLocalRoute(route);
      this.#yielded = [];
      const ours = this.#link !== null && this.#kindOf(this.#link) !== "lo" ? this.#link.index : 0;
      const removed = [
        ...this.#removeLinks(({ name, index }) =>
          this.#strays.delete(index) || index === ours || name === this.#name
        ),
        ...this.#onLo ? this.#removeFrom(this.#lo()) : [],
      ];
      this.#forget();
      if (removed.length > 0) this.#say("info", `: removed ${removed.join(", ")}`);
      return removed;
    } catch (error) {
      throw this.#failure("remove", error);
    }
  }

  close(): void {
    this.#endWatch();
    this.#kernel?.close();
    this.#kernel = null;
  }

  #open(): Rtnetlink {
    return this.#kernel ??= new Rtnetlink();
  }

  #changeRoute(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!(error instanceof NetlinkError)) throw error;
      this.#say("warning", `: Cannot change its route: ${explain(error)}`);
    }
  }

  #say(level: "info" | "warning", text: string): void {
    this.#log(level, `interface ${this.#name}${text}`);
  }

  #failure(what: string, cause: unknown): Error {
    return new Error(`Cannot ${what} the interface "${this.#name}": ${explain(cause)}`, { cause });
  }

  #forget(): void {
    this.#link = null;
    this.#adopted = this.#onLo = false;
  }

  #find(): Link | null {
    const link = this.#open().getLink(this.#name);
    if (link === null) return this.#onLo ? this.#lo() : null;
    const isOurKind = this.#kindOf(link) !== "lo";
    const known = this.#link?.index === link.index;
    if (!isOurKind || (!known && this.#hasPorts(link))) {
      const what = isOurKind
        ? "a bridge with ports"
        : link.kind === ""
        ? "a link of the system's own"
        : `a link of kind ${link.kind}`;
      throw new Error(`${what} has that name; choose another name, or remove that link`);
    }
    if (!known) this.#adopted = true;
    return link;
  }

  #make(work: Work): Link {
    const kernel = this.#open();
    const refused: string[] = [];
    for (const [kind, kernelKind] of this.#kinds) {
      try {
        kernel.addLink(this.#name, kernelKind);
      } catch (error) {
        if (!(error instanceof NetlinkError)) throw error;
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
      if (this.#link === null || this.#kindOf(this.#link) !== kind) {
        this.#warnOf(refused, "it is a bridge without ports instead");
      }
      return link;
    }
    this.#warnOf(refused, "its addresses are on lo, and there is no interface of that name");
    return this.#lo();
  }

  #warnOf(refused: readonly string[], instead: string): void {
    if (refused.length === 0) return;
    this.#say(
      "warning",
      `: ${instead}, since the kernel makes no ${refused.join(", no ")}; ` +
        `"modprobe dummy" before nodens starts gives the usual kind`,
    );
  }

  #fill(link: Link, work: Work): void {
    const kernel = this.#open();
    const kind = this.#kindOf(link);
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

  #reportRepair({ changes }: Work): void {
    const delayMs = this.#pace.repaired(this.#clock.now());
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
        // The first fault is reported.
      }
    }
  }

  /** A bridge with ports loses only its addresses. */
  #removeLinks(isIncluded: (link: Link) => boolean): string[] {
    const kernel = this.#open();
    return kernel.listLinks().filter(isIncluded).flatMap((link) => {
      const kind = this.#kindOf(link);
      const hasOurName = link.name === this.#name;
      if (kind === "lo") return [];
      if (this.#hasPorts(link)) {
        if (hasOurName && this.#link === null) return [];
        if (hasOurName) this.#say("warning", ": the bridge stays, because it has ports now");
        return this.#removeFrom(link);
      }
      const what = hasOurName ? `the link, a ${kind}` : `the link that was renamed to ${link.name}`;
      return kernel.deleteLink(link.index) ? [what] : [];
    });
  }

  #removeFrom(link: Link): string[] {
    return this.#wanted
      .filter((wanted) =>
        !wanted.loopback && this.#open().deleteAddress({ ...wanted, index: link.index })
      )
      .map(({ text }) => `${text} from ${link.name}`);
  }

  /** "lo" also for unsuitable links. */
  #kindOf(link: Link): InterfaceKind {
    return this.#kinds.find(([, kernelKind]) => kernelKind === link.kind)?.[0] ?? "lo";
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

function isAt(address: LinkAddress, wanted: WantedAddress, kind: InterfaceKind): boolean {
  return String(address.bytes) === String(wanted.bytes) &&
    (kind === "lo" || address.prefixLength === wanted.prefixLength);
}
