import type { InterfaceProgram } from "../../../src/kernel/interface_programs.ts";
import type { Attachment, Interfaces } from "../../../src/kernel/interfaces.ts";
import type { Way } from "../../../src/kernel/selection.ts";
import type { Link } from "../../../src/sys/netlink/rtnetlink_messages.ts";

const OWN = { local: 1, redirect: 2 } as const;

/** A call that the kernel refuses. */
export class FakeErrno extends Error {
  constructor(readonly errno: number) {
    super(`error ${errno}`);
  }
}

/** Interfaces with programs, in memory. */
export class FakeInterfaces implements Interfaces {
  readonly own: ReadonlySet<number> = new Set(Object.values(OWN));
  natsBridges = false;
  readonly links = new Map<number, Link>();
  readonly programs = new Map<number, InterfaceProgram[]>();
  /** Thrown by the next calls of `attach`. */
  fault: Error | null = null;
  /** Awaited by `attach`. */
  delay: Promise<void> = Promise.resolve();
  readonly counts = { looks: 0, checks: 0, attached: 0 };
  closed = false;
  #changed = true;

  add(index: number, name: string, more: Partial<Link> = {}): void {
    const link = { index, name, kind: "veth", up: true, master: 0, elsewhere: true, ...more };
    this.links.set(index, link);
    this.programs.set(index, []);
    this.#changed = true;
  }

  addLo(): void {
    this.add(1, "lo", { kind: "", elsewhere: false });
  }

  delete(index: number): void {
    this.links.delete(index);
    this.programs.delete(index);
    this.#changed = true;
  }

  put(index: number, id: number, name: string, more: Partial<InterfaceProgram> = {}): void {
    this.programs.get(index)!.push({ where: "TCX ingress", id, name, kind: "bpf", ...more });
  }

  take(index: number, id: number): void {
    this.programs.set(index, this.programs.get(index)!.filter((one) => one.id !== id));
  }

  /** Names of interfaces with an own program. */
  get served(): string {
    return [...this.programs].filter(([, all]) => all.some(({ id }) => this.own.has(id)))
      .map(([index]) => this.links.get(index)!.name).join(" ");
  }

  changed(): boolean {
    const changed = this.#changed;
    this.#changed = false;
    return changed;
  }

  listLinks(): readonly Link[] {
    this.counts.looks++;
    return [...this.links.values()];
  }

  bridgesPassNat(): boolean {
    return this.natsBridges;
  }

  uplinks(): readonly string[] {
    return [];
  }

  programsOn(index: number): readonly InterfaceProgram[] {
    this.counts.checks++;
    const found = this.programs.get(index);
    if (found === undefined) throw new FakeErrno(19);
    return [...found];
  }

  async attach(index: number, way: Way): Promise<Attachment> {
    await this.delay;
    if (this.fault !== null) throw this.fault;
    if (!this.programs.has(index)) throw new FakeErrno(19);
    this.counts.attached++;
    const id = OWN[way];
    this.put(index, id, "nodens_hits");
    return {
      programId: id,
      remove: () => {
        if (this.programs.has(index)) this.take(index, id);
        return Promise.resolve();
      },
    };
  }

  close(): void {
    this.closed = true;
  }
}
