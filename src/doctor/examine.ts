import type { Config } from "../config/types.ts";
import { canonicalAddress } from "../dns/address.ts";
import { literalHost, parseHttpAddress } from "../plugins/http_address.ts";
import { judgeCapabilities, parseEffective } from "./judge/capabilities.ts";
import { judgeCorefile } from "./judge/corefile.ts";
import type { Finding } from "./judge/finding.ts";
import { judgeHeartbeat } from "./judge/heartbeat.ts";
import { judgeInterface } from "./judge/interface.ts";
import { type FamilyRules, judgeIptables, judgeLock } from "./judge/iptables.ts";
import {
  holderAt,
  judgeListeners,
  type ListenerFacts,
  type Running,
  whoRuns,
} from "./judge/listeners.ts";
import { probeCorefile, STAND_IN } from "./probe/corefile.ts";
import { probeKubelet, probeResolvConfs, probeStatus } from "./probe/host.ts";
import { type LinksLook, probeLinks } from "./probe/links.ts";
import { askFromGateway, askFromNamespace } from "./probe/pod.ts";
import { askTargets, namesOf } from "./probe/queries.ts";
import {
  asksForHeartbeat,
  probeHeartbeat,
  probeMatches,
  probeRules,
  ruleFamilies,
  ruleLevels,
} from "./probe/rules.ts";
import { probeSockets } from "./probe/sockets.ts";
import { judgeMatches } from "./probe/matches.ts";
import { type DoctorOptions, wantsRules } from "./probe/options.ts";
import { judgePod } from "./judge/pod.ts";
import { judgeQueries } from "./judge/queries.ts";
import { judgeKubelet, judgeResolvConf } from "./judge/resolv_conf.ts";
import { judgeRules, levelOf } from "./judge/rules.ts";
import { judgeRuntime } from "./judge/runtime.ts";
import { judgeService } from "./judge/service.ts";
import type { Surroundings } from "./probe/surroundings.ts";
import { planTargets, type Target } from "./judge/targets.ts";

/** What the doctor found. */
export interface Diagnosis {
  /** Who serves at the addresses that nodens is to serve at. */
  readonly running: Running;
  /** In the order of their printing. */
  readonly findings: readonly Finding[];
}

/** Permissions of Deno's that nodens asks for. */
const PERMISSIONS = ["net", "ffi", "read", "write", "env", "run", "sys"] as const;
const UNPRIVILEGED_PORT = 1024;

/** Looks at everything and judges it; changes nothing on the host, unless `pod` is asked for. */
export async function examine(
  options: DoctorOptions,
  surroundings: Surroundings,
): Promise<Diagnosis> {
  const { host, tree, ask } = surroundings;
  const { node, timeoutMs } = options;
  const { corefile, service } = await probeCorefile({
    template: node.template,
    corefile: options.corefile,
    defaultPort: options.defaultPort,
    localIps: node.localIps,
  }, host);
  const { config } = corefile;
  const links = probeLinks(node.interfaceName, surroundings);
  const listening = await probeListeners(config, { options, surroundings });
  const running = whoRuns(listening);
  const own = ownAddresses(listening, links);
  const kubelet = probeKubelet(host);
  const targets = planTargets({
    config,
    names: namesOf(options),
    clusterDns: kubelet?.clusterDns ?? [],
    standIns: [STAND_IN],
  });
  const forPods = podTarget(targets, node.localIps);
  const ruleFindings = await judgeAllRules(running, { options, surroundings });
  // Last and alone, so that their times are not those of the doctor's own work.
  const answers = await askTargets(targets, { ask, timeoutMs });
  const queries = targets.map((target, i) => ({
    ...{ target, asked: answers[i]!, running },
    holder: target.role === "upstream" ? null : holderAt(target, listening),
  }));
  const pod = options.pod
    ? await askFromNamespace(forPods, { ...surroundings, timeoutMs })
    : await askFromGateway(forPods, { links, ask, timeoutMs, own });
  return {
    running,
    findings: [
      ...judgeRuntime({
        os: Deno.build.os,
        arch: Deno.build.arch,
        deno: Deno.version.deno,
        libcMissing: surroundings.libcMissing,
        denied: PERMISSIONS.filter((name) =>
          Deno.permissions.querySync({ name }).state !== "granted" && !grantedInPart(name)
        ),
        touchesHost: node.setupInterface || wantsRules(options),
      }),
      judgeCapabilities({
        effective: parseEffective(tree?.read("/proc/self/status") ?? ""),
        unprivilegedPort: Number(
          tree?.read("/proc/sys/net/ipv4/ip_unprivileged_port_start") ?? UNPRIVILEGED_PORT,
        ),
        lowestPort: config === null || config.listeners.length === 0
          ? null
          : Math.min(...config.listeners.map(({ port }) => port)),
        setupInterface: node.setupInterface,
        setupRules: wantsRules(options),
        backend: ruleFindings.backend,
      }),
      judgeCorefile({ ...corefile, localIps: node.localIps }),
      judgeService(service),
      judgeResolvConf(probeResolvConfs(config, host), { own }),
      judgeKubelet(kubelet, { own, localIps: node.localIps }),
      ...judgeListeners(listening),
      ...judgeInterface({
        wanted: node.localIps,
        setupInterface: node.setupInterface,
        name: node.interfaceName,
        running,
        ...links,
      }),
      ...ruleFindings.findings,
      ...queries.map(judgeQueries),
      judgePod(pod, running),
    ],
  };
}

/** The compiled program has this right for the names that it needs. */
function grantedInPart(name: typeof PERMISSIONS[number]): boolean {
  if (name !== "sys") return false;
  return (["networkInterfaces", "hostname", "uid"] as const).every((kind) =>
    Deno.permissions.querySync({ name, kind }).state === "granted"
  );
}

async function probeListeners(
  config: Config | null,
  { options, surroundings }: { options: DoctorOptions; surroundings: Surroundings },
): Promise<ListenerFacts> {
  const { node } = options;
  const dns = config?.listeners.map(({ address, port }) => ({ address, port })) ??
    node.localIps.map((address) => ({ address, port: node.dnsPort }));
  const endpoints = (config?.endpoints ?? []).map(({ host, port, kind }) => ({ host, port, kind }));
  const metrics = options.metricsAddresses.flatMap((text) => {
    const address = parseHttpAddress(text);
    return address === null ? [] : [{ ...address, kind: "prometheus" as const, optional: true }];
  });
  const all = [...metrics, ...endpoints].filter(({ port }) => port !== 0);
  const http = new Map(all.map(({ host, port, ...more }) => {
    const address = literalHost(host);
    return [`${address} ${port}`, { address, port, ...more }];
  }));
  const places = all.filter(({ kind }) => kind === "prometheus").map(({ host, port }) => {
    const name = host === "" || host === "0.0.0.0" || host === "::"
      ? "127.0.0.1"
      : literalHost(host);
    return `${name.includes(":") ? `[${name}]` : name}:${port}`;
  });
  const ports = [...dns, ...http.values()].map(({ port }) => port);
  return {
    dns,
    http: [...http.values()],
    sockets: probeSockets(ports, surroundings.tree),
    status: await probeStatus([...new Set(places)]),
  };
}

/** Addresses at which a query reaches nodens. */
function ownAddresses({ dns }: ListenerFacts, links: LinksLook): string[] {
  const all = dns.flatMap(({ address, port }) => {
    if (port !== 53) return [];
    if (address !== "" && address !== "0.0.0.0" && address !== "::") return [address];
    return ["127.0.0.1", "::1", ...links.addresses.map((one) => one.address)];
  });
  return [...new Set(all.map(canonicalAddress))];
}

/** The listener that pods ask: a service's address before a link-local one. */
function podTarget(targets: readonly Target[], localIps: readonly string[]): Target | undefined {
  const listeners = targets.filter(({ role, address, names }) =>
    role === "listener" && !/^127\.|^::1$/.test(address) && names.length > 0
  );
  return listeners.find(({ address }) =>
    localIps.includes(address) && !/^169\.254\./.test(address)
  ) ??
    listeners[0];
}

async function judgeAllRules(
  running: Running,
  { options, surroundings }: { options: DoctorOptions; surroundings: Surroundings },
): Promise<{ findings: Finding[]; backend: "nft" | "legacy" | "default" | null }> {
  const { tree, host } = surroundings;
  const families = ruleFamilies(options);
  const looks = await Promise.all(families.map(async (family) => {
    const rules = await probeRules(family, surroundings);
    return { rules, matches: await probeMatches(rules, options, surroundings) };
  }));
  const facts = looks.map(({ rules }) => ({
    rules,
    levels: ruleLevels(rules.family, options),
    running,
    failOpen: asksForHeartbeat(rules.family, options),
  }));
  const beating = facts.filter((one) => levelOf(one) !== "none" && one.failOpen)
    .map(({ rules }) => rules.family);
  const beats = running === "nodens" ? await probeHeartbeat(beating, options, surroundings) : [];
  const backend = looks.map(({ rules }) => backendOf(rules)).find((one) => one !== null) ?? null;
  const path = host.env("XTABLES_LOCKFILE") ?? "/run/xtables.lock";
  const mounts = tree?.read("/proc/self/mountinfo") ?? "";
  const lock = judgeLock({
    path,
    exists: host.kindOf(path) === "file",
    container: / \/ \/ \S+(?: \S+)* - overlay /m.test(mounts) ||
      host.env("KUBERNETES_SERVICE_HOST") !== undefined,
    mounted: mounts.includes(` ${path} `) || / \/run /.test(mounts),
    wantsRules: families.length > 0,
    backend,
  });
  return {
    findings: [
      ...looks.map(({ rules }, i) => judgeIptables(rules, facts[i]!.levels[0]!.set)),
      lock,
      ...looks.map(({ matches }) => judgeMatches(matches)),
      ...facts.flatMap(judgeRules),
      judgeHeartbeat(beats, { running, asked: beating.length > 0 }),
    ],
    backend,
  };
}

function backendOf(rules: FamilyRules): "nft" | "legacy" | "default" | null {
  return "backends" in rules ? rules.backends.used.name : null;
}
