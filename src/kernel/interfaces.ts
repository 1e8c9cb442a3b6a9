import {
  attachTcxAsync,
  BpfError,
  closeLink,
  programId,
  programName,
  queryTcx,
} from "../sys/bpf/bpf.ts";
import { ERRNO } from "../sys/constants.ts";
import { defaultLinks, defaultLinks6 } from "../sys/netlink/default_routes.ts";
import { readKernelFile } from "../sys/kernel_file.ts";
import { Rtnetlink } from "../sys/netlink/rtnetlink.ts";
import { type Link, LINK_NOTICES } from "../sys/netlink/rtnetlink_messages.ts";
import { NetlinkSocket } from "../sys/netlink/socket.ts";
import { type Direction, type OwnFilter, TrafficControl } from "../sys/netlink/traffic_control.ts";
import { type InterfaceProgram, PROGRAM_NAME } from "./interface_programs.ts";
import type { Way } from "./selection.ts";

/** How programs are attached: links (Linux 6.6), or filters of clsact. */
export type AttachKind = "tcx" | "clsact";

/** An attached program. */
export interface Attachment {
  readonly programId: number;
  /** Never rejects: the interface may be gone. */
  remove(): Promise<void>;
}

/** Interfaces of this machine. */
export interface Interfaces {
  /** Ids of the own programs. */
  readonly own: ReadonlySet<number>;
  /** Whether links may have changed since the last call. */
  changed(): boolean;
  listLinks(): readonly Link[];
  /** Names of interfaces with a default route. */
  uplinks(): readonly string[];
  /** Whether bridges give their packets to iptables first (br_netfilter). */
  bridgesPassNat(): boolean;
  /** Throws if the interface is gone. */
  programsOn(index: number): readonly InterfaceProgram[];
  /** Rejects with `BpfError` or `NetlinkError`. */
  attach(index: number, way: Way): Promise<Attachment>;
  close(): void;
}

/** Place of the filter: not one that is usual for others. */
const FILTER: OwnFilter = { name: PROGRAM_NAME, priority: 53, handle: 53 };
const DIRECTIONS: readonly Direction[] = ["ingress", "egress"];
/** A notice each for hundreds of new pods; what is lost is found by a look at all. */
const MAX_NOTICES = 256;
/** Names of programs: as many as a node has, and a bound. */
const MAX_NAMES = 4096;
/** lo of each network namespace. */
const LO = 1;

/** How this kernel attaches programs. Throws `BpfError`. */
export function attachKind(): AttachKind {
  try {
    queryTcx(LO, "ingress");
    return "tcx";
  } catch (error) {
    if (error instanceof BpfError && error.errno === ERRNO.INVAL) return "clsact";
    throw error;
  }
}

/** Interfaces of this network namespace. Methods throw `BpfError` or `NetlinkError`. */
export class LinuxInterfaces implements Interfaces {
  readonly own: ReadonlySet<number>;
  readonly #kind: AttachKind;
  readonly #programs: ReadonlyMap<Way, number>;
  readonly #links = new Rtnetlink();
  readonly #notices = new NetlinkSocket(LINK_NOTICES);
  readonly #control = new TrafficControl();
  readonly #names = new Map<number, string>();
  #turn: Promise<unknown> = Promise.resolve();
  #closed = false;

  /** `programs` are descriptors. */
  constructor(kind: AttachKind, programs: ReadonlyMap<Way, number>) {
    this.#kind = kind;
    this.#programs = programs;
    this.own = new Set([...programs.values()].map(programId));
  }

  changed(): boolean {
    const notices = this.#notices.takeNotices(MAX_NOTICES);
    return notices === null || notices.length > 0;
  }

  listLinks(): readonly Link[] {
    return this.#links.listLinks();
  }

  uplinks(): readonly string[] {
    return [
      ...defaultLinks(readRoutes("/proc/net/route")),
      ...defaultLinks6(readRoutes("/proc/net/ipv6_route")),
    ];
  }

  bridgesPassNat(): boolean {
    return ["iptables", "ip6tables"].some((program) => {
      try {
        return readKernelFile(`/proc/sys/net/bridge/bridge-nf-call-${program}`).trim() === "1";
      } catch {
        return false;
      }
    });
  }

  programsOn(index: number): readonly InterfaceProgram[] {
    return DIRECTIONS.flatMap((direction): InterfaceProgram[] => {
      const programs = this.#kind === "tcx" ? queryTcx(index, direction) : [];
      const filters = this.#control.listFilters(index, direction);
      return [
        ...programs.map((id) => {
          const where = `TCX ${direction}`;
          return { where, id, name: this.#nameOf(id), kind: "bpf" };
        }),
        ...filters.map(({ kind, name, programId: id }) => {
          const where = `tc ${direction}`;
          return { where, id, name, kind };
        }),
      ];
    });
  }

  async attach(index: number, way: Way): Promise<Attachment> {
    const program = this.#programs.get(way)!;
    const id = programId(program);
    if (this.#kind === "tcx") {
      const link = await this.#inTurn(() => {
        if (this.#closed) throw new Error("Cannot attach a program: nodens stops");
        return attachTcxAsync(program, index);
      });
      return { programId: id, remove: () => this.#inTurn(() => closeLink(link)) };
    }
    const isOurs = this.#control.addClsact(index);
    try {
      this.#control.setFilter(index, program, FILTER);
    } catch (error) {
      if (isOurs) this.#control.removeClsact(index);
      throw error;
    }
    return {
      programId: id,
      remove: () => Promise.resolve(this.#removeFilter(index, id, isOurs)),
    };
  }

  close(): void {
    this.#closed = true;
    for (const socket of [this.#links, this.#notices, this.#control]) socket.close();
  }

  /** The kernel does one at a time in any case, so a second thread would only wait. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => {});
    return done;
  }

  /** Leaves the filter of another nodens process, which has replaced this one. */
  #removeFilter(index: number, id: number, isOurs: boolean): void {
    try {
      const filters = this.#control.listFilters(index, "ingress");
      if (filters.some(({ programId }) => programId === id)) {
        this.#control.deleteFilter(index, FILTER);
      }
      if (isOurs) this.#control.removeClsact(index);
    } catch {
      // The interface is gone, and the filter with it.
    }
  }

  #nameOf(id: number): string {
    if (this.own.has(id)) return PROGRAM_NAME;
    if (this.#names.size >= MAX_NAMES) this.#names.clear();
    return this.#names.getOrInsertComputed(id, programName);
  }
}

/** Its beginning, which has the default routes; empty without the family. */
function readRoutes(path: string): string {
  try {
    return readKernelFile(path);
  } catch {
    return "";
  }
}
