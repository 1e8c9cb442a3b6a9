import { mustRun } from "../../release/command.ts";
import { Namespace } from "../support/namespaces/namespace.ts";

export const ADDRESS = { node: "192.0.2.2", cluster: "192.0.2.53" } as const;
export const KUBE_DNS = "10.96.0.10";

export type Where = "node" | "cluster";

/** A node and the rest of a cluster: two connected network namespaces. */
export class Network {
  readonly node = new Namespace();
  readonly cluster = new Namespace();

  constructor() {
    const peer = ["peer", "name", "eth0", "netns", this.cluster.name];
    this.node.ip("link", "add", "eth0", "type", "veth", ...peer);
    for (const name of ["node", "cluster"] as const) {
      this[name].ip("address", "add", `${ADDRESS[name]}/24`, "dev", "eth0");
      this[name].ip("link", "set", "eth0", "up");
    }
    this.cluster.ip("route", "add", KUBE_DNS, "via", ADDRESS.node);
  }

  must(where: Where, ...command: string[]): Promise<string> {
    return mustRun("ip", this[where].exec(...command));
  }

  /** Answer to a question from a namespace, as `name type data`. */
  async ask(where: Where, server: string, question: string): Promise<string> {
    const options = ["+time=5", "+tries=2", "+noall", "+answer"];
    const words = [`@${server}`, ...options, ...question.split(" ")];
    const text = await this.must(where, "dig", ...words);
    return text.trim().replace(/^(\S+)\s+\d+\s+IN\s+(\w+)\s+/, "$1 $2 ");
  }

  /** nodens' rules on the node, in one backend of iptables. */
  async rules(backend: "nft" | "legacy"): Promise<string[]> {
    const text = await this.must("node", `iptables-${backend}-save`);
    return text.split("\n").filter((line) => /NodeLocal|nodens/.test(line));
  }

  remove(): void {
    this.node.remove();
    this.cluster.remove();
  }
}
