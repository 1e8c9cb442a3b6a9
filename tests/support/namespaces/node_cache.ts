/** nodens instead of node-cache in a node of a rig. */
import assert from "node:assert/strict";
import {
  KUBE_DNS,
  KUBE_DNS_UPSTREAM,
  type NodeRig,
  rewriterOf,
  type RigNodens,
} from "./node_rig.ts";
import { PERMISSIONS } from "../../../release/permissions.ts";
import { MAIN, STARTED } from "../processes/nodens.ts";
import { until } from "../run/until.ts";
import { PATIENCE } from "../run/patience.ts";

/** The published Corefile template, unchanged. */
export const TEMPLATE = Deno.readTextFileSync(
  new URL("../../config/node_local_dns.corefile", import.meta.url),
);
/** The published link-local address. */
export const LINK_LOCAL = "169.254.20.10";
/** Files of the host's /etc that a program in the node needs. */
const KEPT_OF_ETC = ["hosts", "protocols", "services", "passwd", "ld.so.cache", "alternatives"];
/** Time promised by the rules, and a margin for a loaded machine. */
const PROMISE_MS = 2000;
const SLACK_MS = 4000 * PATIENCE;

/** Options of the start; the defaults are the DaemonSet's. */
export interface NodeCacheOptions {
  localIps?: readonly string[];
  more?: readonly string[];
  template?: string;
  env?: Readonly<Record<string, string>>;
  /** A command that starts the program, such as `setpriv` with arguments. */
  by?: readonly string[];
  ready?: (output: string) => boolean;
}

/** Starts nodens with a separate `/etc` (`nodens.directory`), so that paths are the container's. */
export async function startNodeCache(
  rig: NodeRig,
  options: NodeCacheOptions = {},
): Promise<RigNodens> {
  const { localIps = [LINK_LOCAL, KUBE_DNS.v4], more = [], template = TEMPLATE } = options;
  const node = rig.nodes[0]!;
  const directory = Deno.makeTempDirSync({ prefix: "nodens_etc_" });
  const rewrite = rewriterOf(directory);
  for (const name of KEPT_OF_ETC) {
    new Deno.Command("cp", { args: ["-a", `/etc/${name}`, directory], stderr: "null" })
      .outputSync();
  }
  rewrite("resolv.conf", Deno.readTextFileSync(node.resolvConf));
  rewrite("coredns/Corefile.base", template);
  const command = [
    ...["sh", "-c", 'mount --bind "$0" /etc && exec "$@"', directory],
    ...options.by ?? [],
    // With the executable's permissions.
    ...[Deno.execPath(), "run", ...PERMISSIONS, MAIN],
    ...["-localip", localIps.join(","), "-conf", "/etc/Corefile"],
    ...["-upstreamsvc", "kube-dns-upstream", "-pidfile", "/etc/node-cache.pid", ...more],
  ];
  const process = await rig.startIn(node.namespace, command[0]!, command.slice(1), {
    ready: options.ready ?? ((output) => STARTED.test(output)),
    env: { KUBE_DNS_UPSTREAM_SERVICE_HOST: KUBE_DNS_UPSTREAM.v4, ...options.env },
  }).catch((error) => {
    Deno.removeSync(directory, { recursive: true });
    throw error;
  });
  const ended = process.ended.finally(() => Deno.removeSync(directory, { recursive: true }));
  return {
    pid: process.pid,
    get output() {
      return process.output;
    },
    ended,
    async stop() {
      await process.stop();
      return await ended;
    },
    directory,
    rewrite,
  };
}

/** Waits until the rules are installed and an address has a heartbeat. */
export async function engaged(nodens: RigNodens, address: string = KUBE_DNS.v4): Promise<void> {
  const line = `fail-open: ${address} answers, and takes its queries`;
  await until(() => nodens.output.includes(line), `the rules: ${nodens.output}\nthey`);
}

/** The server that answers at an address: nodens, another, or none within a second. */
export async function whoAnswers(
  rig: NodeRig,
  from: string,
  server: string,
  ...words: string[]
): Promise<"cache" | "cluster" | "nobody"> {
  // nodens answers NOTIFY with NOTIMP; named implements it.
  const question = ["+opcode=NOTIFY", "example.org", "SOA"];
  const { answer } = await rig.dig(from, `@${server}`, ...question, "+time=1", ...words);
  if (answer === null) return "nobody";
  return answer.status === "NOTIMP" ? "cache" : "cluster";
}

/** Queries until `who` answers; fails after the time that the rules promise. */
export async function untilAnswers<Who extends string>(
  who: Who,
  ask: () => Promise<Who | "nobody">,
  limitMs: number = PROMISE_MS + SLACK_MS,
): Promise<void> {
  const start = performance.now();
  for (;;) {
    const askedMs = performance.now() - start;
    const got = await ask();
    if (got === who) return;
    const took = `${got} answers after ${Math.round(askedMs)} ms, not ${who}`;
    assert.ok(askedMs < limitMs, took);
  }
}

/** Queries from the first pod and the node, over UDP and TCP. */
export function everywhere(rig: NodeRig, server: string = KUBE_DNS.v4) {
  const { namespace, pods } = rig.nodes[0]!;
  return [namespace, pods[0]!.namespace].flatMap((from) =>
    ["+notcp", "+tcp"].map((words) => () => whoAnswers(rig, from, server, words))
  );
}

export async function served(
  rig: NodeRig,
  who: "cache" | "cluster",
  servers: readonly string[] = [KUBE_DNS.v4],
): Promise<void> {
  const paths = servers.flatMap((server) => everywhere(rig, server));
  await Promise.all(paths.map((ask) => untilAnswers(who, ask)));
}

/** Runs a command in the node; throws if it fails. */
export async function inNode(rig: NodeRig, command: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await rig.exec(rig.nodes[0]!.namespace, command, args);
  assert.equal(code, 0, `${command} ${args.join(" ")}: ${stderr}`);
  return stdout;
}

/** Stops nodens, which must succeed and, if `state` is given, leave that state. */
export async function stopped(rig: NodeRig, nodens: RigNodens, state?: HostState): Promise<void> {
  assert.equal((await nodens.stop()).code, 0, nodens.output);
  if (state !== undefined) assert.deepEqual(await hostState(rig), state, nodens.output);
}

/** Everything that nodens changes on a node. */
export interface HostState {
  readonly rules: readonly string[];
  readonly links: readonly string[];
}

export async function hostState(rig: NodeRig): Promise<HostState> {
  const { namespace } = rig.nodes[0]!;
  const rules: string[] = [];
  for (const program of ["iptables", "ip6tables"]) {
    for (const backend of ["nft", "legacy"]) {
      const save = ["netns", "exec", namespace, `xtables-${backend}-multi`, `${program}-save`];
      const { stdout } = await new Deno.Command("ip", { args: save, stderr: "null" }).output();
      let table = "";
      for (const line of new TextDecoder().decode(stdout).split("\n")) {
        if (line.startsWith("*")) table = line.slice(1);
        if (line.startsWith("-A")) rules.push(`${program} ${backend} ${table} ${line}`);
      }
    }
  }
  // The index shows that a link was recreated. The kernel assigns some addresses at any time.
  const { stdout } = await rig.exec(namespace, "ip", ["-oneline", "address"]);
  const links = stdout.split("\n").flatMap((line) => {
    const [index, name, family, address] = line.trim().split(/\s+/);
    return address === undefined || address.startsWith("fe80:")
      ? []
      : [`${index} ${name} ${family} ${address}`];
  });
  return { rules, links };
}

export function ownRules({ rules }: HostState): string[] {
  return rules.filter((rule) => /NodeLocal DNS Cache|nodens/.test(rule));
}

/** Age of the figures that nodens serves. */
const COPY_MS = 1000;
const readMs = new WeakMap<NodeRig, number>();

/** Metrics of the node's nodens, newer than the previous ones. */
async function scrape(rig: NodeRig, port: number): Promise<string> {
  const waitMs = (readMs.get(rig) ?? -Infinity) + COPY_MS - performance.now();
  if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
  const url = `http://127.0.0.1:${port}/metrics`;
  const { stdout } = await rig.exec(rig.nodes[0]!.namespace, "curl", ["-s", url]);
  readMs.set(rig, performance.now());
  return stdout;
}

function valueOf(text: string, series: string): number | null {
  const line = text.split("\n").find((one) => one.startsWith(`${series} `));
  return line === undefined ? null : Number(line.slice(series.length + 1));
}

export async function metric(rig: NodeRig, name: string, port = 9353): Promise<number | null> {
  return valueOf(await scrape(rig, port), name);
}

/** Counts of set-up errors, by node-cache's labels. */
export async function setupErrors(rig: NodeRig): Promise<Record<string, number | null>> {
  const types = ["iptables", "iptables_lock", "interface_add", "interface_check", "configmap"];
  const text = await scrape(rig, 9353);
  return Object.fromEntries(types.map((type) => {
    const series = `coredns_nodecache_setup_errors_total{errortype="${type}"}`;
    return [type, valueOf(text, series)];
  }));
}

export const NO_ERRORS = {
  iptables: 0,
  iptables_lock: 0,
  interface_add: 0,
  interface_check: 0,
  configmap: 0,
};
