/** Memory used in a group, in MiB. */
export interface MemoryUse {
  readonly peak: number;
  /**
   * Peak of its TCP buffers, if the kernel counts them separately (version 1); otherwise part of
   * `peak`.
   */
  readonly sockets: number;
  readonly kills: number;
}

const MIB = 2 ** 20;
const REMOVE_TRIES = 50;
const REMOVE_PAUSE_MS = 20;

/** A memory-limited control group of version 1 (also beside version 2) or 2. */
export class MemoryGroup {
  static #count = 0;
  readonly entrance: string;
  readonly #folder: string;
  readonly #version: 1 | 2;

  private constructor(folder: string, version: 1 | 2) {
    this.#folder = folder;
    this.#version = version;
    this.entrance = `${folder}/cgroup.procs`;
  }

  static make(limitBytes: number): MemoryGroup {
    const own = ownGroups(Deno.readTextFileSync("/proc/self/cgroup"));
    const name = `nodens-attack-${Deno.pid}-${++MemoryGroup.#count}`;
    const v1 = own.get("memory");
    // The unified hierarchy gives controllers only to groups whose parents have no processes,
    // unlike our parent: so the root is tried.
    const places = v1 !== undefined
      ? [`/sys/fs/cgroup/memory${v1}`, "/sys/fs/cgroup/memory"]
      : [`/sys/fs/cgroup${own.get("") ?? ""}`, "/sys/fs/cgroup"];
    const reasons: string[] = [];
    for (const place of places) {
      const folder = `${place.replace(/\/$/, "")}/${name}`;
      const group = new MemoryGroup(folder, v1 !== undefined ? 1 : 2);
      try {
        Deno.mkdirSync(folder);
        group.#limit(limitBytes);
        return group;
      } catch (error) {
        reasons.push((error as Error).message);
        try {
          Deno.removeSync(folder);
        } catch {
          // Not created.
        }
      }
    }
    throw new Error(`Cannot make a control group with a memory limit: ${reasons.join("; ")}`);
  }

  /** Reasons why groups are unavailable here; empty if there are none. */
  static async reasons(): Promise<string[]> {
    try {
      await MemoryGroup.make(64 * MIB).remove();
      return [];
    } catch (error) {
      return [(error as Error).message];
    }
  }

  /** Memory use of its members so far. */
  use(): MemoryUse {
    const mib = (file: string) => Number(this.#read(file) ?? 0) / MIB;
    const events = this.#read(this.#version === 1 ? "memory.oom_control" : "memory.events") ?? "";
    const kills = Number(/^oom_kill (\d+)/m.exec(events)?.[1] ?? 0);
    return this.#version === 1
      ? {
        peak: mib("memory.max_usage_in_bytes"),
        sockets: mib("memory.kmem.tcp.max_usage_in_bytes"),
        kills,
      }
      : { peak: mib("memory.peak"), sockets: 0, kills };
  }

  async remove(): Promise<void> {
    for (let i = 0; i < REMOVE_TRIES; i++) {
      try {
        Deno.removeSync(this.#folder);
        return;
      } catch {
        await new Promise((wake) => setTimeout(wake, REMOVE_PAUSE_MS));
      }
    }
    throw new Error(`Cannot remove ${this.#folder}: does something still run in it?`);
  }

  #limit(bytes: number): void {
    if (this.#version === 2) {
      this.#write("memory.max", bytes);
      this.#tryWrite("memory.swap.max", 0);
      return;
    }
    this.#write("memory.limit_in_bytes", bytes);
    this.#tryWrite("memory.memsw.limit_in_bytes", bytes);
    // Version 2 counts TCP buffers with the rest; version 1 separately, and only with a limit.
    this.#tryWrite("memory.kmem.tcp.limit_in_bytes", bytes);
  }

  #write(file: string, value: number): void {
    Deno.writeTextFileSync(`${this.#folder}/${file}`, String(value), { create: false });
  }

  /** Not every kernel has every file. */
  #tryWrite(file: string, value: number): void {
    try {
      this.#write(file, value);
    } catch {
      // Nothing to limit.
    }
  }

  #read(file: string): string | null {
    try {
      return Deno.readTextFileSync(`${this.#folder}/${file}`);
    } catch {
      return null;
    }
  }
}

/** The process's group in each hierarchy, by controller; "" for the unified hierarchy. */
export function ownGroups(text: string): Map<string, string> {
  const groups = new Map<string, string>();
  for (const line of text.trim().split("\n")) {
    const [, controllers = "", path = ""] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    for (const controller of controllers.split(",")) groups.set(controller, path);
  }
  return groups;
}
