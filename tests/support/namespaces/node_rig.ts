/**
 * A Kubernetes-like network of network namespaces, for tests as root:
 *
 *     pod ─┐                      ┌─ kube-dns (named: cluster.local), any number of replicas
 *     pod ─┴─ node ── fabric ─────┤
 *     pod ─┬─ node ──┘            └─ outside (named: example.org, example.net)
 *     pod ─┘
 *
 * All cables are routed. Nodes have kube-proxy's rules for the services of `rig/addresses.ts`.
 * Nothing leaves the namespaces; their names carry the process id.
 */
import { skipFor } from "../run/require.ts";
import { type Answer, parseAnswer } from "../servers/ask.ts";
import { MAIN, STARTED } from "../processes/nodens.ts";
import type { TestProcess } from "../processes/process.ts";
import * as plan from "./rig/addresses.ts";
import * as dnsperf from "./rig/dnsperf.ts";
import { type End, removeStaleRigs, RigNetwork } from "./rig/network.ts";
import { type Backend, type ExecOptions, type ExecResult, Programs } from "./rig/programs.ts";
import type { StartOptions } from "./rig/programs.ts";
import { rigReasons } from "./rig/require.ts";
import { Resolver } from "./rig/resolvers.ts";
import { foundationRules, type Ruleset, serviceRules } from "./rig/service_rules.ts";

export { KUBE_DNS, KUBE_DNS_UPSTREAM, OUTSIDE } from "./rig/addresses.ts";
export type { Addresses } from "./rig/addresses.ts";
export { rigReasons } from "./rig/require.ts";
export type { Backend, ExecOptions, ExecResult, Resolver, StartOptions };

export interface RigOptions {
  /** Default 1, at most 9. */
  readonly nodes?: number;
  /** Replicas of kube-dns; default 1, at most 9. */
  readonly replicas?: number;
  /** Default "nft". */
  readonly backend?: Backend;
  readonly ipv6?: boolean;
  /** A folder before PATH. */
  readonly programs?: string;
}

export interface RigPod {
  readonly namespace: string;
  readonly addresses: plan.Addresses;
}

export interface RigNode {
  readonly index: number;
  readonly namespace: string;
  readonly addresses: plan.Addresses;
  readonly pods: readonly RigPod[];
  /** The node's /etc/resolv.conf; write it in place. */
  readonly resolvConf: string;
}

export interface Reply {
  readonly code: number;
  /** Null without an answer. */
  readonly answer: Answer | null;
  /** Data of the answer records, in order. */
  readonly data: readonly string[];
  readonly text: string;
}

export interface NodensOptions {
  readonly corefile?: string | ((directory: string) => string);
  readonly files?: Readonly<Record<string, string>>;
  readonly args?: readonly string[] | ((directory: string) => readonly string[]);
  readonly env?: Readonly<Record<string, string>>;
  /** Default: waits for the start-up line. */
  readonly ready?: (output: string) => boolean;
}

export interface RigNodens extends TestProcess {
  readonly directory: string;
  rewrite(name: string, text: string): void;
}

/** Returns a function that replaces files of a directory; names may have folders. */
export function rewriterOf(directory: string): RigNodens["rewrite"] {
  return (name, text) => {
    const file = `${directory}/${name}`;
    Deno.mkdirSync(file.slice(0, file.lastIndexOf("/")), { recursive: true });
    Deno.writeTextFileSync(`${file}.new`, text);
    Deno.renameSync(`${file}.new`, file);
  };
}

const COUNTS = { min: 1, max: 9 };
const PODS_A_NODE = { default: 2, max: 200 };
const POD_RESOLV_CONF = `search default.svc.cluster.local svc.cluster.local cluster.local
nameserver ${plan.KUBE_DNS.v4}
options ndots:5
`;
const NODE_RESOLV_CONF = `nameserver ${plan.OUTSIDE.v4}\n`;

interface MutableNode extends RigNode {
  readonly pods: RigPod[];
}

/** The network and its programs; see the top of this file. */
export class NodeRig {
  readonly backend: Backend;
  readonly ipv6: boolean;
  readonly nodes: readonly RigNode[];
  /** Replicas of kube-dns, endpoints of both services. */
  readonly replicas: readonly Resolver[];
  readonly outside: Resolver;
  readonly #directory: string;
  readonly #network: RigNetwork;
  readonly #programs: Programs;
  #files = 0;

  /** Makes the network and starts the resolvers; cleans up after a failure. */
  static async create(options: RigOptions = {}): Promise<NodeRig> {
    for (const name of ["nodes", "replicas"] as const) {
      const value = options[name] ?? 1;
      if (!Number.isInteger(value) || value < COUNTS.min || value > COUNTS.max) {
        throw new RangeError(
          `Cannot make a rig with ${name} ${value}: ${COUNTS.min} to ${COUNTS.max} will do`,
        );
      }
    }
    await removeStaleRigs();
    const directory = Deno.makeTempDirSync({ prefix: "nodens_rig_" });
    let network: RigNetwork | null = null;
    let rig: NodeRig | null = null;
    try {
      const programs = new Programs(directory, options);
      network = new RigNetwork(directory, options.ipv6 ?? false);
      rig = new NodeRig(options, { directory, network, programs });
      await rig.#setUp();
      return rig;
    } catch (error) {
      if (rig !== null) await rig.remove();
      else {
        await network?.remove();
        Deno.removeSync(directory, { recursive: true });
      }
      throw error;
    }
  }

  private constructor(
    options: RigOptions,
    parts: { directory: string; network: RigNetwork; programs: Programs },
  ) {
    this.backend = options.backend ?? "nft";
    this.ipv6 = options.ipv6 ?? false;
    this.#directory = parts.directory;
    this.#network = parts.network;
    this.#programs = parts.programs;
    const fabric = this.#network.add("fabric", { routes: true });
    const gateway = plan.FABRIC;
    const toFabric = (name: string): End => ({ namespace: fabric, interface: name });
    const nodes = Array.from({ length: options.nodes ?? 1 }, (_, index): MutableNode => {
      const namespace = this.#network.add(`node${index}`, { routes: true });
      const resolvConf = this.#write(`node${index}.resolv.conf`, NODE_RESOLV_CONF);
      this.#programs.setResolvConf(namespace, resolvConf);
      return { index, namespace, addresses: plan.nodeAddresses(index), pods: [], resolvConf };
    });
    this.nodes = nodes;
    this.replicas = Array.from(
      { length: options.replicas ?? 1 },
      (_, replica) => this.#resolver(`dns${replica}`, plan.replicaAddresses(replica), replica),
    );
    this.outside = this.#resolver("outside", plan.OUTSIDE);
    this.#network.connect([
      ...nodes.map(({ index, namespace, addresses: address }) => ({
        parent: toFabric(`node${index}`),
        child: { namespace, interface: "fabric0" },
        gateway,
        address,
        behind: plan.nodePodNetwork(index),
      })),
      ...[this.outside, ...this.replicas].map(({ namespace, addresses: address }, i) => ({
        parent: toFabric(`dns${i}`),
        child: { namespace, interface: "eth0" },
        gateway,
        address,
      })),
    ]);
    for (const node of nodes) this.addNodePods(node);
  }

  async #setUp(): Promise<void> {
    // Waits for all, so that nothing starts after the clean-up.
    const results = await Promise.allSettled([
      ...[this.outside, ...this.replicas].map((resolver) => resolver.start()),
      this.#applyRules(foundationRules).then(() => this.setEndpoints(this.replicas.keys())),
    ]);
    for (const result of results) if (result.status === "rejected") throw result.reason;
  }

  /** Adds pods to a node and returns the new ones. */
  addNodePods(node: RigNode, count: number = PODS_A_NODE.default): RigPod[] {
    const { pods } = node as MutableNode;
    if (!Number.isInteger(count) || count < 1 || pods.length + count > PODS_A_NODE.max) {
      throw new RangeError(`Cannot add ${count} pods: a node takes 1 to ${PODS_A_NODE.max} in all`);
    }
    const resolvConf = this.#write("pod.resolv.conf", POD_RESOLV_CONF);
    const first = pods.length;
    const added = Array.from({ length: count }, (_, i): RigPod => {
      const namespace = this.#network.add(`node${node.index}-pod${first + i}`, { routes: false });
      this.#programs.setResolvConf(namespace, resolvConf);
      return { namespace, addresses: plan.podAddresses(node.index, first + i) };
    });
    this.#network.connect(added.map(({ namespace, addresses: address }, i) => ({
      parent: { namespace: node.namespace, interface: `pod${first + i}` },
      child: { namespace, interface: "eth0" },
      gateway: plan.podGateway(node.index),
      address,
    })));
    pods.push(...added);
    return added;
  }

  /** Sets the endpoints of both services on all nodes; without endpoints, the services refuse. */
  async setEndpoints(replicas: Iterable<number>): Promise<void> {
    const endpoints = [...replicas].map((i) => this.#replica(i).addresses);
    await this.#applyRules((family) => serviceRules(family, endpoints));
  }

  /** Kills a replica (SIGKILL); it stays an endpoint until `setEndpoints`. */
  async killReplica(i: number): Promise<void> {
    await this.#replica(i).kill();
  }

  async startReplica(i: number): Promise<void> {
    await this.#replica(i).start();
  }

  /** Runs a program to its end; default limit: 30 seconds. */
  exec(
    namespace: string,
    command: string,
    args: readonly string[] = [],
    options: ExecOptions = {},
  ): Promise<ExecResult> {
    return this.#programs.exec(namespace, command, args, options);
  }

  startIn(
    namespace: string,
    command: string,
    args: readonly string[] = [],
    options: StartOptions = {},
  ): Promise<TestProcess> {
    return this.#programs.start(namespace, command, args, options);
  }

  /** Starts nodens from source in a node and waits for its start-up line. */
  async startNodensIn(node: RigNode, options: NodensOptions): Promise<RigNodens> {
    const directory = `${this.#directory}/nodens${this.#files++}`;
    const rewrite = rewriterOf(directory);
    Deno.mkdirSync(directory);
    for (const [name, text] of Object.entries(options.files ?? {})) rewrite(name, text);
    const { args = [], corefile, env, ready } = options;
    const flags = typeof args === "function" ? [...args(directory)] : [...args];
    if (corefile !== undefined) {
      rewrite("Corefile", typeof corefile === "function" ? corefile(directory) : corefile);
      flags.unshift("-conf", `${directory}/Corefile`);
    }
    const process = await this.startIn(
      node.namespace,
      Deno.execPath(),
      ["run", "-A", MAIN, ...flags],
      { ready: ready ?? ((output) => STARTED.test(output)), ...(env === undefined ? {} : { env }) },
    );
    return {
      pid: process.pid,
      get output() {
        return process.output;
      },
      ended: process.ended,
      stop: () => process.stop(),
      directory,
      rewrite,
    };
  }

  dig(namespace: string, ...words: string[]): Promise<Reply> {
    return this.#ask(namespace, "dig", ["-r", "+tries=1", "+time=5", ...words]);
  }

  kdig(namespace: string, ...words: string[]): Promise<Reply> {
    return this.#ask(namespace, "kdig", ["+retry=0", "+time=5", ...words]);
  }

  async #ask(namespace: string, client: string, args: readonly string[]): Promise<Reply> {
    const { code, stdout, stderr } = await this.exec(namespace, client, args);
    const text = stdout + stderr;
    const answer = / status: \w+/.test(text) ? parseAnswer(text) : null;
    return { code, answer, data: answer?.answer.map(({ data }) => data) ?? [], text };
  }

  async dnsperf(
    namespace: string,
    options: dnsperf.DnsperfOptions,
  ): Promise<dnsperf.DnsperfResult> {
    const file = this.#write(`names${this.#files++}`, dnsperf.dnsperfInput(options.names));
    const args = dnsperf.dnsperfArguments(options, file);
    const timeoutMs = (options.seconds + 30) * 1000;
    const { code, stdout, stderr } = await this.exec(namespace, "dnsperf", args, { timeoutMs });
    Deno.removeSync(file);
    if (code !== 0) throw new Error(`Cannot run dnsperf in ${namespace}: ${stdout}${stderr}`);
    return dnsperf.parseDnsperf(stdout);
  }

  get namespaces(): readonly string[] {
    return this.#network.namespaces;
  }

  /** Ends all programs and removes the network. */
  async remove(): Promise<void> {
    // First, because leftover processes may hold the programs' output open.
    await this.#network.remove();
    await this.#programs.end();
    try {
      Deno.removeSync(this.#directory, { recursive: true });
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error; // already removed
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.remove();
  }

  async #applyRules(rules: (family: keyof plan.Addresses) => Ruleset): Promise<void> {
    for (const family of this.ipv6 ? ["v4", "v6"] as const : ["v4"] as const) {
      const command = family === "v4" ? "iptables-restore" : "ip6tables-restore";
      const file = this.#write(`rules${this.#files++}`, rules(family));
      for (const { namespace } of this.nodes) {
        await this.#programs.run(namespace, command, "-w", "5", "--noflush", file);
      }
    }
  }

  #resolver(role: string, addresses: plan.Addresses, replica?: number): Resolver {
    const namespace = this.#network.add(role, { routes: false });
    const directory = `${this.#directory}/${role}`;
    Deno.mkdirSync(directory);
    return new Resolver(this.#programs, {
      namespace,
      addresses,
      ipv6: this.ipv6,
      directory,
      ...(replica === undefined ? {} : { replica }),
    });
  }

  #replica(i: number): Resolver {
    const replica = this.replicas[i];
    if (replica === undefined) {
      throw new RangeError(`Cannot find replica ${i}: there are ${this.replicas.length}`);
    }
    return replica;
  }

  #write(name: string, text: string): string {
    const file = `${this.#directory}/${name}`;
    Deno.writeTextFileSync(file, text);
    return file;
  }
}

export function rigTest(
  name: string,
  { needs = [], ...options }: RigOptions & { needs?: readonly string[] },
  use: (rig: NodeRig) => Promise<void>,
): void {
  Deno.test({
    name,
    ...skipFor(rigReasons({ ...options, programs: needs })),
    async fn() {
      await using rig = await NodeRig.create(options);
      await use(rig);
    },
  });
}
