import { processesIn } from "../namespaces/rig/network.ts";
import { kill } from "../namespaces/rig/programs.ts";
import { uniqueName } from "../run/unique_name.ts";

const PREFIX = "nodens-k";
const NAMESPACES = "/run/netns";

/** Addresses of the node where DNS is served; two, so that two processes can be compared. */
export const SERVED = {
  v4: ["169.254.20.10", "169.254.20.11"],
  v6: ["fd00:10::10", "fd00:10::11"],
} as const;

/** How pods are connected: each routed by its own veth, or as ports of one bridge. */
export type Wiring = "veth" | "bridge";

/** Name of the bridge. */
export const BRIDGE = "cni0";

/** A pod of the network. */
export interface Pod {
  readonly namespace: string;
  /** The node's end of its veth pair. */
  readonly port: string;
  readonly v4: string;
  readonly v6: string;
}

/**
 * A node and its pods as network namespaces, IPv4 and IPv6:
 *
 *     pod eth0 ── pod0 ┬─ (cni0) ─ node, SERVED on lo
 *     pod eth0 ── pod1 ┘
 */
export class PodNetwork {
  readonly node: string = `${uniqueName(PREFIX)}-node`;
  readonly wiring: Wiring;
  readonly #namespaces: string[] = [];
  #pods = 0;

  constructor(wiring: Wiring) {
    this.wiring = wiring;
    this.#add(this.node);
    for (const address of SERVED.v4) this.ip("address", "add", `${address}/32`, "dev", "lo");
    for (const address of SERVED.v6) {
      this.ip("address", "add", `${address}/128`, "dev", "lo", "nodad");
    }
    if (wiring === "bridge") {
      // Without an address of its own it takes a port's, and pods miss the change.
      const own = ["address", "02:00:00:00:01:00"];
      this.ip("link", "add", BRIDGE, ...own, "type", "bridge", "forward_delay", "0");
      this.#address(BRIDGE, 24, 64);
      this.ip("link", "set", BRIDGE, "up");
    }
  }

  /** Runs `ip` in the node. */
  ip(...args: string[]): string {
    return run("ip", "-n", this.node, ...args);
  }

  addPod(): Pod {
    const index = this.#pods++;
    const namespace = this.node.replace(/-node$/, `-pod${index}`);
    this.#add(namespace);
    const pod = {
      namespace,
      port: `pod${index}`,
      v4: `10.244.1.${index + 2}`,
      v6: `fd00:244::${(index + 2).toString(16)}`,
    };
    this.plug(pod);
    return pod;
  }

  /** Connects a pod. */
  plug({ namespace, port, v4, v6 }: Pod): void {
    // The same each time, since the node remembers it.
    const peer = [
      "name",
      "eth0",
      "address",
      `02:00:00:00:00:${v4.split(".")[3]!.padStart(2, "0")}`,
    ];
    this.ip("link", "add", port, "type", "veth", "peer", ...peer, "netns", namespace);
    const routed = this.wiring === "veth";
    if (routed) this.#address(port, 32, 128);
    else this.ip("link", "set", port, "master", BRIDGE);
    this.ip("link", "set", port, "up");
    if (routed) {
      this.ip("route", "add", v4, "dev", port);
      this.ip("-6", "route", "add", v6, "dev", port);
    }
    const pod = (...args: string[]) => run("ip", "-n", namespace, ...args);
    pod("address", "add", `${v4}/24`, "dev", "eth0");
    pod("address", "add", `${v6}/64`, "dev", "eth0", "nodad");
    pod("link", "set", "eth0", "up");
    pod("route", "add", "default", "via", "10.244.1.1");
    pod("-6", "route", "add", "default", "via", "fd00:244::1");
  }

  /** Removes a pod's veth pair. */
  unplug({ port }: Pod): void {
    this.ip("link", "delete", port);
  }

  /** Removes a pod's namespace, as when it ends. */
  removePod({ namespace }: Pod): void {
    this.#namespaces.splice(this.#namespaces.indexOf(namespace), 1);
    run("ip", "netns", "delete", namespace);
  }

  /** Deletes the namespaces; processes inside must have ended. */
  remove(): void {
    for (const name of this.#namespaces.splice(0).reverse()) run("ip", "netns", "delete", name);
  }

  #add(name: string): void {
    run("ip", "netns", "add", name);
    this.#namespaces.push(name);
    run("ip", "-n", name, "link", "set", "lo", "up");
    const settings = ["ipv4/conf/all/rp_filter", "ipv4/conf/default/rp_filter"];
    const script = [
      ...settings.map((setting) => `echo 0 > /proc/sys/net/${setting}`),
      "echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad",
      "echo 0 > /proc/sys/net/ipv6/conf/all/accept_dad",
    ];
    run("ip", "netns", "exec", name, "sh", "-ec", script.join("\n"));
  }

  #address(device: string, bits4: number, bits6: number): void {
    this.ip("address", "add", `10.244.1.1/${bits4}`, "dev", device);
    this.ip("address", "add", `fd00:244::1/${bits6}`, "dev", device, "nodad");
  }
}

/** Removes networks of processes that have ended, and what runs in them. */
export function removeStaleNetworks(): void {
  const stale = [...Deno.readDirSync(NAMESPACES)].map(({ name }) => name).filter((name) => {
    const pid = /^nodens-k-(\d+)-/.exec(name)?.[1];
    return pid !== undefined && !exists(`/proc/${pid}`);
  });
  processesIn(stale).forEach(kill);
  for (const name of stale) {
    // Another process may have removed it meanwhile.
    new Deno.Command("ip", { args: ["netns", "delete", name], stderr: "null" }).outputSync();
  }
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

/** Runs a program to its end; throws its complaints if it fails. */
export function run(...words: string[]): string {
  const { success, stdout, stderr } = new Deno.Command(words[0]!, {
    args: words.slice(1),
    stdin: "null",
  }).outputSync();
  const decoder = new TextDecoder();
  if (success) return decoder.decode(stdout);
  throw new Error(`Cannot run "${words.join(" ")}": ${decoder.decode(stderr).trim()}`);
}
