/** An upstream's namespace and address. */
export interface Site {
  readonly namespace: string;
  /** In RFC 2544's benchmark range; reachable only from the middle. */
  readonly address: string;
}

/**
 * Three isolated network namespaces: the middle, for a server and its client, and two upstreams,
 * each behind a veth pair. Names include the process id, for concurrent runs.
 */
export class Network {
  readonly middle: string;
  readonly sites: readonly [Site, Site];

  private constructor() {
    const name = `nodens-${Deno.pid}`;
    this.middle = `${name}-m`;
    this.sites = [
      { namespace: `${name}-1`, address: "198.18.1.2" },
      { namespace: `${name}-2`, address: "198.18.2.2" },
    ];
  }

  /** Creates the network; throws, leaving nothing behind, if forbidden. */
  static create(): Network {
    const network = new Network();
    try {
      for (const namespace of network.#namespaces()) {
        run("ip", "netns", "add", namespace);
        run("ip", "-n", namespace, "link", "set", "lo", "up");
      }
      network.sites.forEach(({ namespace, address }, i) => {
        const [here, there] = [`up${i + 1}`, "cable"];
        const middle = network.middle;
        run(
          ...["ip", "link", "add", here, "netns", middle, "type", "veth"],
          ...["peer", "name", there, "netns", namespace],
        );
        run("ip", "-n", middle, "address", "add", `198.18.${i + 1}.1/24`, "dev", here);
        run("ip", "-n", namespace, "address", "add", `${address}/24`, "dev", there);
        run("ip", "-n", middle, "link", "set", here, "up");
        run("ip", "-n", namespace, "link", "set", there, "up");
      });
      return network;
    } catch (error) {
      network.remove();
      throw error;
    }
  }

  /** Removes the network; inner processes must have ended. */
  remove(): void {
    for (const namespace of this.#namespaces()) {
      // Absent after a partial creation.
      new Deno.Command("ip", { args: ["netns", "delete", namespace], stderr: "null" }).outputSync();
    }
  }

  #namespaces(): string[] {
    return [this.middle, ...this.sites.map(({ namespace }) => namespace)];
  }
}

/** Adds a firewall rule for an upstream's incoming packets. */
export function addRule(site: Site, ...rule: string[]): void {
  run("ip", "netns", "exec", site.namespace, "iptables", "-w", "-A", "INPUT", ...rule);
}

function run(...words: string[]): void {
  const { success, stderr } = new Deno.Command(words[0]!, { args: words.slice(1) }).outputSync();
  if (!success) {
    throw new Error(`Cannot run "${words.join(" ")}": ${new TextDecoder().decode(stderr).trim()}`);
  }
}
