import type { Addresses } from "./addresses.ts";
import { uniqueName } from "../../run/unique_name.ts";
import { kill } from "./programs.ts";

const NAMESPACES = "/run/netns";
const PREFIX = "nodens-rig";
const SWEEPS = 5;
const SWEEP_PAUSE_MS = 20;

export interface End {
  readonly namespace: string;
  readonly interface: string;
}

export interface Cable {
  readonly parent: End;
  readonly child: End;
  readonly gateway: Addresses;
  readonly address: Addresses;
  /** More networks behind the child. */
  readonly behind?: Addresses;
}

export class RigNetwork {
  readonly #prefix: string;
  readonly #directory: string;
  readonly #ipv6: boolean;
  readonly #namespaces: string[] = [];

  constructor(directory: string, ipv6: boolean) {
    this.#directory = directory;
    this.#ipv6 = ipv6;
    this.#prefix = `${uniqueName(PREFIX)}-`;
  }

  add(role: string, options: { routes: boolean }): string {
    const name = `${this.#prefix}${role}`;
    run("ip", "netns", "add", name);
    this.#namespaces.push(name);
    const forward = options.routes ? 1 : 0;
    const settings = [
      ["ipv4/conf/all/rp_filter", 0],
      ["ipv4/conf/default/rp_filter", 0],
      ["ipv4/ip_forward", forward],
      ...(this.#ipv6
        ? [
          ["ipv6/conf/all/disable_ipv6", 0],
          ["ipv6/conf/default/disable_ipv6", 0],
          ["ipv6/conf/all/accept_dad", 0],
          ["ipv6/conf/default/accept_dad", 0],
          ["ipv6/conf/default/accept_ra", 0],
          ["ipv6/conf/all/forwarding", forward],
        ]
        : []),
    ];
    const lines = settings.map(([name, value]) => `echo ${value} >/proc/sys/net/${name}`);
    run("ip", "netns", "exec", name, "sh", "-ec", [...lines, "ip link set lo up"].join("\n"));
    return name;
  }

  connect(cables: readonly Cable[]): void {
    const batches = new Map<string, string[]>();
    const batch = (namespace: string): string[] => {
      const lines = batches.get(namespace) ?? [];
      batches.set(namespace, lines);
      return lines;
    };
    const links: string[] = [];
    for (const { parent, child, gateway, address, behind } of cables) {
      links.push(
        `link add ${parent.interface} netns ${parent.namespace} type veth ` +
          `peer name ${child.interface} netns ${child.namespace}`,
      );
      const above = batch(parent.namespace);
      const below = batch(child.namespace);
      above.push(`link set ${parent.interface} up`);
      below.push(`link set ${child.interface} up`);
      for (const family of this.#ipv6 ? ["v4", "v6"] as const : ["v4"] as const) {
        const length = family === "v4" ? "32" : "128 nodad";
        const anywhere = family === "v4" ? "0.0.0.0/0" : "::/0";
        const at = `dev ${parent.interface}`;
        above.push(
          `address add ${gateway[family]}/${length} ${at}`,
          `route add ${address[family]} ${at} src ${gateway[family]}`,
        );
        below.push(
          `address add ${address[family]}/${length} dev ${child.interface}`,
          `route add ${gateway[family]} dev ${child.interface}`,
          `route add ${anywhere} via ${gateway[family]} dev ${child.interface} ` +
            `src ${address[family]}`,
        );
        if (behind !== undefined) {
          above.push(`route add ${behind[family]} via ${address[family]} ${at}`);
        }
      }
    }
    const file = `${this.#directory}/ip.batch`;
    Deno.writeTextFileSync(file, `${links.join("\n")}\n`);
    run("ip", "-batch", file);
    for (const [namespace, lines] of batches) {
      Deno.writeTextFileSync(file, `${lines.join("\n")}\n`);
      run("ip", "-n", namespace, "-batch", file);
    }
  }

  get namespaces(): readonly string[] {
    return [...this.#namespaces];
  }

  /** Kills all processes in the namespaces and deletes them. */
  async remove(): Promise<void> {
    await removeAll(this.#namespaces.splice(0));
  }
}

/** Removes rigs whose process has ended. */
export async function removeStaleRigs(): Promise<void> {
  const stale = rigNamespaces().filter((name) => {
    const pid = name.slice(PREFIX.length + 1).split("-")[0];
    return !exists(`/proc/${pid}`);
  });
  await removeAll(stale);
}

/** Namespaces of all rigs on this machine. */
export function rigNamespaces(): string[] {
  return namespaces().filter((name) => name.startsWith(`${PREFIX}-`));
}

function namespaces(): string[] {
  try {
    return [...Deno.readDirSync(NAMESPACES)].map(({ name }) => name);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

export function processesIn(names: readonly string[]): number[] {
  const inodes = new Set(names.map((name) => inode(`${NAMESPACES}/${name}`)));
  inodes.delete(null);
  if (inodes.size === 0) return [];
  return [...Deno.readDirSync("/proc")].map(({ name }) => Number(name))
    .filter((pid) => Number.isInteger(pid) && inodes.has(inode(`/proc/${pid}/ns/net`)));
}

async function removeAll(names: readonly string[]): Promise<void> {
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const pids = processesIn(names);
    if (pids.length === 0) break;
    pids.forEach(kill);
    await new Promise((wake) => setTimeout(wake, SWEEP_PAUSE_MS));
  }
  for (const name of names) {
    try {
      run("ip", "netns", "delete", name);
    } catch (error) {
      // Another process may have removed the same stale rig.
      if (exists(`${NAMESPACES}/${name}`)) throw error;
    }
  }
}

function inode(path: string): number | null {
  try {
    return Deno.statSync(path).ino;
  } catch {
    return null;
  }
}

function exists(path: string): boolean {
  return inode(path) !== null;
}

function run(...words: string[]): void {
  const { success, stderr } = new Deno.Command(words[0]!, { args: words.slice(1) }).outputSync();
  if (!success) {
    throw new Error(`Cannot run "${words.join(" ")}": ${new TextDecoder().decode(stderr).trim()}`);
  }
}
