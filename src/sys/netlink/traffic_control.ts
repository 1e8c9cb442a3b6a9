/** Traffic control of this network namespace: programs of BPF as filters of clsact (tc-bpf(8)). */
import { ERRNO } from "../constants.ts";
import {
  decodeAttributes,
  decodeNumber,
  decodeText,
  type NetlinkMessage,
  type NetlinkRequest,
  NLM_F,
  viewOf,
} from "./netlink.ts";
import { NetlinkError, NetlinkSocket } from "./socket.ts";

/** Side of an interface: packets that come in, or go out. */
export type Direction = "ingress" | "egress";

/** A filter on an interface. */
export interface Filter {
  /** "bpf", "u32", … */
  readonly kind: string;
  /** Of a BPF program, as its owner named it; else "". */
  readonly name: string;
  /** Of a BPF program; else 0. */
  readonly programId: number;
  readonly priority: number;
  readonly handle: number;
}

/** Place and name of a filter that this program owns. */
export interface OwnFilter {
  readonly name: string;
  readonly priority: number;
  readonly handle: number;
}

const RTM = {
  ...{ NEWQDISC: 36, DELQDISC: 37, GETQDISC: 38 },
  ...{ NEWTFILTER: 44, DELTFILTER: 45, GETTFILTER: 46 },
} as const;
/** `struct tcmsg`: family u8@0, index i32@4, handle u32@8, parent u32@12, info u32@16. */
const TCMSG = 20;
const TCA = { KIND: 1, OPTIONS: 2 } as const;
const TCA_BPF = { FD: 6, NAME: 7, FLAGS: 8, ID: 11 } as const;
/** The program's result is the verdict. */
const DIRECT_ACTION = 1;
/** TC_H_CLSACT, the parent of the qdisc, and its handle. */
const CLSACT = { PARENT: 0xfffffff1, HANDLE: 0xffff0000 } as const;
const PARENT: Record<Direction, number> = { ingress: 0xfffffff2, egress: 0xfffffff3 };
/** ETH_P_ALL, big-endian. */
const ALL_PROTOCOLS = 0x0300;
const { ACK, CREATE, EXCLUSIVE, DUMP } = NLM_F;

/** Qdiscs and filters. Methods throw `NetlinkError`. */
export class TrafficControl {
  readonly #socket: Pick<NetlinkSocket, "run" | "dump" | "close">;

  /** Throws if netlink is missing or not permitted. */
  constructor(socket: Pick<NetlinkSocket, "run" | "dump" | "close"> = new NetlinkSocket()) {
    this.#socket = socket;
  }

  /** Filters of clsact, or of the older qdisc `ingress`. */
  listFilters(index: number, direction: Direction): Filter[] {
    const header = tcHeader({ index, parent: PARENT[direction] });
    return this.#socket.dump({ type: RTM.GETTFILTER, flags: DUMP, header })
      .map(decodeFilter).filter((filter) => filter !== null);
  }

  /** Returns whether it was missing. */
  addClsact(index: number): boolean {
    const header = tcHeader({ index, parent: CLSACT.PARENT, handle: CLSACT.HANDLE });
    return this.#succeeds({
      type: RTM.NEWQDISC,
      flags: ACK | CREATE | EXCLUSIVE,
      header,
      attributes: [[TCA.KIND, "clsact"]],
    }, ERRNO.EXIST);
  }

  /** Deletes clsact, unless it has filters; returns whether it did. */
  removeClsact(index: number): boolean {
    const used = (["ingress", "egress"] as const)
      .some((direction) => this.listFilters(index, direction).length > 0);
    if (used) return false;
    const header = tcHeader({ index, parent: CLSACT.PARENT, handle: CLSACT.HANDLE });
    return this.#succeeds({ type: RTM.DELQDISC, flags: ACK, header }, ...GONE);
  }

  /** Adds a program for packets that come in, or replaces that of the same place. */
  setFilter(index: number, programFd: number, { name, priority, handle }: OwnFilter): void {
    this.#socket.run({
      type: RTM.NEWTFILTER,
      flags: ACK | CREATE,
      header: filterHeader(index, priority, handle),
      attributes: [[TCA.KIND, "bpf"], [TCA.OPTIONS, [
        [TCA_BPF.FD, programFd],
        [TCA_BPF.NAME, name],
        [TCA_BPF.FLAGS, DIRECT_ACTION],
      ]]],
    });
  }

  /** Returns whether it existed. */
  deleteFilter(index: number, { priority, handle }: OwnFilter): boolean {
    return this.#succeeds({
      type: RTM.DELTFILTER,
      flags: ACK,
      header: filterHeader(index, priority, handle),
      attributes: [[TCA.KIND, "bpf"]],
    }, ...GONE);
  }

  close(): void {
    this.#socket.close();
  }

  /** False if refused with one of `errnos`. */
  #succeeds(request: NetlinkRequest, ...errnos: number[]): boolean {
    try {
      this.#socket.run(request);
      return true;
    } catch (error) {
      if (error instanceof NetlinkError && errnos.includes(error.errno)) return false;
      throw error;
    }
  }
}

/** Of a filter, qdisc or interface that does not exist. */
const GONE = [ERRNO.NOENT, ERRNO.NODEV, ERRNO.INVAL];

/** Decodes a filter; null for the message that precedes the filters of a priority. */
export function decodeFilter({ body }: NetlinkMessage): Filter | null {
  if (body.length < TCMSG) throw new RangeError(`Cannot read a filter of ${body.length} octets`);
  const handle = viewOf(body).getUint32(8, true);
  if (handle === 0) return null;
  const attributes = decodeAttributes(body.subarray(TCMSG));
  const kind = decodeText(attributes.get(TCA.KIND));
  const options = attributes.get(TCA.OPTIONS);
  const own = kind === "bpf" && options !== undefined
    ? decodeAttributes(options)
    : new Map<number, Uint8Array>();
  const id = own.get(TCA_BPF.ID);
  return {
    kind,
    name: decodeText(own.get(TCA_BPF.NAME)),
    programId: id === undefined ? 0 : decodeNumber(id),
    priority: viewOf(body).getUint32(16, true) >>> 16,
    handle,
  };
}

function filterHeader(index: number, priority: number, handle: number): Uint8Array {
  const info = priority << 16 | ALL_PROTOCOLS;
  return tcHeader({ index, handle, parent: PARENT.ingress, info });
}

function tcHeader({ index, handle = 0, parent, info = 0 }: {
  index: number;
  handle?: number;
  parent: number;
  info?: number;
}): Uint8Array {
  const header = new Uint8Array(TCMSG);
  const view = viewOf(header);
  view.setInt32(4, index, true);
  view.setUint32(8, handle, true);
  view.setUint32(12, parent, true);
  view.setUint32(16, info, true);
  return header;
}
