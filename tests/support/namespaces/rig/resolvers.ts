import { type Addresses, KUBE_DNS, KUBE_DNS_UPSTREAM, OUTSIDE } from "./addresses.ts";
import type { TestProcess } from "../../processes/process.ts";
import { kill, type Programs } from "./programs.ts";

const ZONES = new URL("../../servers/zones/", import.meta.url);
/** Size at which named stops logging queries. */
const QUERY_LOG_BYTES = 64 << 20;

export interface ResolverOptions {
  readonly namespace: string;
  readonly addresses: Addresses;
  readonly ipv6: boolean;
  readonly directory: string;
  /** Number of the kube-dns replica; undefined for the resolver outside. */
  readonly replica?: number;
}

/** A rig's named, which can be killed and restarted. */
export class Resolver {
  readonly namespace: string;
  readonly addresses: Addresses;
  readonly #programs: Programs;
  readonly #directory: string;
  #process: TestProcess | null = null;

  constructor(programs: Programs, options: ResolverOptions) {
    this.namespace = options.namespace;
    this.addresses = options.addresses;
    this.#programs = programs;
    this.#directory = options.directory;
    const zones = options.replica === undefined ? OUTSIDE_ZONES : CLUSTER_ZONES;
    for (const zone of zones) {
      const text = options.replica === undefined
        ? Deno.readTextFileSync(new URL(zoneFile(zone), ZONES))
        : clusterZone(zone, options.replica, options.addresses);
      Deno.writeTextFileSync(`${options.directory}/${zoneFile(zone)}`, text);
    }
    Deno.writeTextFileSync(`${options.directory}/named.conf`, configuration(zones, options));
  }

  get pid(): number | null {
    return this.#process?.pid ?? null;
  }

  async start(): Promise<void> {
    if (this.#process !== null) throw new Error(`Cannot start ${this.namespace}: it runs`);
    this.#remove("named.log");
    const args = ["-f", "-n", "1", "-c", `${this.#directory}/named.conf`];
    try {
      this.#process = await this.#programs.start(this.namespace, "named", args, {
        cwd: this.#directory,
        ready: () => /\brunning\b/.test(this.#read("named.log")),
      });
    } catch (error) {
      throw new Error(`${(error as Error).message}${this.#read("named.log")}`, { cause: error });
    }
  }

  async kill(): Promise<void> {
    const process = this.#process;
    if (process === null) throw new Error(`Cannot kill ${this.namespace}: it does not run`);
    this.#process = null;
    kill(process.pid);
    await process.ended;
  }

  /** Number of received queries, over all restarts. Throws if its log overflowed. */
  queries(name?: string, type?: string): number {
    const text = this.#read("queries.log").toLowerCase();
    if (text.length >= QUERY_LOG_BYTES - 4096) {
      throw new Error(`Cannot count the queries of ${this.namespace}: its log is full`);
    }
    const what = ` query: ${name === undefined ? "" : `${name} in ${type ?? ""}`}`;
    return text.split(what.toLowerCase()).length - 1;
  }

  #read(name: string): string {
    try {
      return Deno.readTextFileSync(`${this.#directory}/${name}`);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return "";
      throw error;
    }
  }

  #remove(name: string): void {
    try {
      Deno.removeSync(`${this.#directory}/${name}`);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
}

const OUTSIDE_ZONES = [".", "example.org", "example.net"];
const REVERSE_ZONE = "96.10.in-addr.arpa";
const CLUSTER_ZONES = ["cluster.local", REVERSE_ZONE];

/** Zone file of kube-dns; TTLs are those of CoreDNS's `kubernetes`. */
function clusterZone(zone: string, replica: number, addresses: Addresses): string {
  const head = `$ORIGIN ${zone}.
$TTL 30
@ IN SOA ns.dns.cluster.local. hostmaster.cluster.local. 1 7200 1800 86400 5
@ IN NS ns.dns.cluster.local.
`;
  if (zone === REVERSE_ZONE) {
    return `${head}1.0 IN PTR kubernetes.default.svc.cluster.local.
10.0 IN PTR kube-dns.kube-system.svc.cluster.local.
`;
  }
  const services: Record<string, Addresses> = {
    "kubernetes.default.svc": { v4: "10.96.0.1", v6: "fd00:10:96::1" },
    "kube-dns.kube-system.svc": KUBE_DNS,
    "kube-dns-upstream.kube-system.svc": KUBE_DNS_UPSTREAM,
    "ns.dns": KUBE_DNS,
    // Names for load; the second with a TTL of one second.
    "*.load": { v4: "10.96.1.1", v6: "fd00:10:96::101" },
    "*.brief 1": { v4: "10.96.1.2", v6: "fd00:10:96::102" },
    // Must not be cached.
    "whoami 0": addresses,
  };
  const records = Object.entries(services).flatMap(([name, { v4, v6 }]) => [
    `${name} IN A ${v4}`,
    `${name} IN AAAA ${v6}`,
  ]);
  return `${head}dns-version IN TXT "1.1.0"
whoami 0 IN TXT "replica-${replica}"
_dns._udp.kube-dns.kube-system.svc IN SRV 0 100 53 kube-dns.kube-system.svc
${records.join("\n")}
`;
}

function zoneFile(zone: string): string {
  return `${zone === "." ? "root" : zone}.zone`;
}

function configuration(zones: readonly string[], options: ResolverOptions): string {
  const { addresses, directory, ipv6, replica } = options;
  const forward = replica === undefined ? "" : `forwarders { ${OUTSIDE.v4}; }; forward only;`;
  const blocks = zones.map((zone) =>
    `zone "${zone}" { type primary; file "${zoneFile(zone)}"; };\n`
  );
  return `options {
  directory "${directory}";
  pid-file none;
  session-keyfile "${directory}/session.key";
  listen-on { ${addresses.v4}; };
  listen-on-v6 { ${ipv6 ? addresses.v6 : "none"}; };
  allow-query { any; };
  allow-recursion { any; };
  recursion yes;
  dnssec-validation no;
  empty-zones-enable no;
  minimal-responses yes;
  notify no;
  ${forward}
};
controls { };
logging {
  channel main { file "${directory}/named.log"; severity info; };
  channel queries { file "${directory}/queries.log" versions 1 size ${QUERY_LOG_BYTES}; severity info; };
  category default { main; };
  category queries { queries; };
};
${blocks.join("")}`;
}
