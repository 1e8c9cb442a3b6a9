/** Where servers are asked, in the node. */
export const SERVED = "169.254.20.10";
/** The node's end of the pod's veth pair. */
export const PORT_OF_POD = "pod0";

const POD = "10.244.1.2";
const GATEWAY = "10.244.1.1";

/** A node and a pod as network namespaces, connected by one veth pair. */
export class PodAndNode {
  readonly node: string = `nodens-bench-${Deno.pid}-node`;
  readonly pod: string = `nodens-bench-${Deno.pid}-pod`;

  constructor() {
    try {
      for (const name of [this.node, this.pod]) {
        ip("netns", "add", name);
        ip("-n", name, "link", "set", "lo", "up");
      }
      const node = (...args: string[]) => ip("-n", this.node, ...args);
      const pod = (...args: string[]) => ip("-n", this.pod, ...args);
      const peer = ["peer", "name", "eth0", "netns", this.pod];
      node("link", "add", PORT_OF_POD, "type", "veth", ...peer);
      node("address", "add", `${SERVED}/32`, "dev", "lo");
      node("address", "add", `${GATEWAY}/24`, "dev", PORT_OF_POD);
      node("link", "set", PORT_OF_POD, "up");
      pod("address", "add", `${POD}/24`, "dev", "eth0");
      pod("link", "set", "eth0", "up");
      pod("route", "add", "default", "via", GATEWAY);
    } catch (error) {
      this.remove();
      throw error;
    }
  }

  /** A command line that runs a program in the node or the pod, on a core if it can be held there. */
  command(where: "node" | "pod", words: readonly string[], core: string | null): string[] {
    const pinned = core === null ? [] : ["taskset", "-c", core];
    return ["ip", "netns", "exec", this[where], ...pinned, ...words];
  }

  /** Deletes what exists; processes inside must have ended. */
  remove(): void {
    for (const name of [this.pod, this.node]) {
      new Deno.Command("ip", { args: ["netns", "delete", name], stderr: "null" }).outputSync();
    }
  }
}

function ip(...args: string[]): void {
  const { success, stderr } = new Deno.Command("ip", { args }).outputSync();
  if (success) return;
  throw new Error(`Cannot run "ip ${args.join(" ")}": ${new TextDecoder().decode(stderr).trim()}`);
}
