import type { Config } from "../config/types.ts";
import { probeKernelHits } from "../kernel/probe.ts";
import { hasOwnAddress } from "../kernel/requirements.ts";
import { canonicalAddress } from "../dns/address.ts";
import { ruleEntries, ruleFamilies, ruleSet } from "../node/rule_plan.ts";
import { LEVELS } from "../node/rules/facts.ts";
import type { Family } from "../node/rules/rule_text.ts";
import { destinationText } from "../node/rules/facts.ts";
import { literalHost } from "../plugins/http_address.ts";
import { parseEffective } from "../sys/capabilities.ts";
import { judgeCorefile, judgeInherit, judgeService } from "./judge/corefile.ts";
import type { Finding, Verdict } from "./judge/finding.ts";
import { judgeInterface, judgeLinkKind } from "./judge/interface.ts";
import { judgeKernelHits } from "./judge/kernel_hits.ts";
import { judgeIptables, judgeLock, judgeMatches, programOf } from "./judge/iptables.ts";
import {
  holderAt,
  judgeDnsPorts,
  judgeHttpPorts,
  type ListenerFacts,
  type Running,
  whoRuns,
} from "./judge/listeners.ts";
import { checkOf, judgePod, judgeQueries } from "./judge/queries.ts";
import { judgeKubelet, judgeResolvConf } from "./judge/resolv_conf.ts";
import { judgeForeignRules, judgeHeartbeat, judgeOwnRules, levelOf } from "./judge/rules.ts";
import { judgeCapabilities, judgePermissions, judgeRuntime } from "./judge/runtime.ts";
import { planTargets, type Target } from "./judge/targets.ts";
import { probeCorefile, probeInherit, STAND_IN } from "./probe/corefile.ts";
import { probeKubelet, probeResolvConfs, probeStatus } from "./probe/host.ts";
import { type LinkFacts, probeLinks } from "./probe/links.ts";
import type { DoctorOptions, Surroundings } from "./probe/options.ts";
import { askFromGateway, askFromNamespace, askTargets, namesOf } from "./probe/queries.ts";
import { probeHeartbeat, probeMatches, probeRules } from "./probe/rules.ts";
import { probeSockets } from "./probe/sockets.ts";

/** Result of an examination. */
export interface Diagnosis {
  readonly running: Running;
  readonly findings: readonly Finding[];
}

const PERMISSIONS = ["net", "ffi", "read", "write", "env", "run", "sys"] as const;
const UNPRIVILEGED_PORT = 1024;
const WILDCARDS = ["", "0.0.0.0", "::"];

/** Probes and judges; changes the host only with `pod`. */
export async function examine(
  options: DoctorOptions,
  surroundings: Surroundings,
): Promise<Diagnosis> {
  const { host, tree, ask, libcMissing } = surroundings;
  const { node, timeoutMs } = options;
  const { localIps, setupInterface } = node;
  const setupRules = node.setupIptables || options.rules.redirect !== null;
  const { corefile, service } = await probeCorefile(options, host);
  const { config } = corefile;
  const inherited = options.inherit === ""
    ? []
    : [judgeInherit(await probeInherit(options, corefile, host))];
  const links = probeLinks(node.interfaceName, surroundings);
  const listeners = await probeListeners(config, options, surroundings);
  const running = whoRuns(listeners);
  const own = ownAddresses(listeners, links);
  const kubelet = await probeKubelet(host);
  const resolvConfs = probeResolvConfs(config, host);
  const targets = planTargets({
    config,
    names: namesOf(options),
    clusterDns: kubelet?.clusterDns ?? [],
    standIns: [STAND_IN],
  });
  const rules = await probeAllRules(running, options, surroundings);
  // Last and alone, for undisturbed times.
  const answers = await askTargets(targets, { ask, timeoutMs });
  const forPods = podTarget(targets, localIps);
  const pod = options.pod
    ? await askFromNamespace(forPods, { ...surroundings, timeoutMs })
    : await askFromGateway(forPods, { links, ask, timeoutMs, own });
  const runtime = {
    os: Deno.build.os,
    arch: Deno.build.arch,
    deno: Deno.version.deno,
    libcMissing,
    denied: PERMISSIONS.filter((name) => Deno.permissions.querySync({ name }).state !== "granted"),
    touchesHost: setupInterface || setupRules,
  };
  const capabilities = {
    effective: parseEffective(tree?.read("/proc/self/status") ?? ""),
    unprivilegedPort: Number(
      tree?.read("/proc/sys/net/ipv4/ip_unprivileged_port_start") ?? UNPRIVILEGED_PORT,
    ),
    lowestPort: config?.listeners.map(({ port }) => port).toSorted((a, b) => a - b)[0] ?? null,
    setupInterface,
    setupRules,
    backend: rules.backend,
  };
  const { kernelHits, driver, workers } = options;
  const kernelFacts = {
    running,
    wanted: kernelHits !== null,
    hasAddress: config === null || hasOwnAddress(config.listeners),
    probe: libcMissing !== null ? null : await probeKernelHits(
      kernelHits ?? "auto",
      { driver, workers, capabilities: capabilities.effective },
      { load: kernelHits !== null },
    ),
  };
  const link = { wanted: localIps, setupInterface, name: node.interfaceName, running, ...links };
  return {
    running,
    findings: [
      finding("runtime", "Runtime", judgeRuntime(runtime)),
      finding("permissions", "Deno permissions", judgePermissions(runtime)),
      finding("capabilities", "Capabilities", judgeCapabilities(capabilities)),
      finding("corefile", "Corefile", judgeCorefile(corefile, localIps)),
      ...inherited.map((verdict) => finding("inherit", "Customization of CoreDNS", verdict)),
      finding("service", "Service of kube-dns", judgeService(service, localIps)),
      finding("resolv-conf", "resolv.conf", judgeResolvConf(resolvConfs, { own })),
      finding("kubelet", "kubelet", judgeKubelet(kubelet, { own, localIps })),
      finding("listeners", "Port of DNS", judgeDnsPorts(listeners)),
      finding("http-ports", "Ports of health and metrics", judgeHttpPorts(listeners)),
      finding("interface-kind", "Kernel: dummy links", judgeLinkKind(link)),
      finding("interface", "Interface and addresses", judgeInterface(link)),
      ...rules.findings,
      finding("kernel-hits", "Hits in the kernel", judgeKernelHits(kernelFacts)),
      ...targets.map((target, i) => ({
        ...checkOf(target),
        ...judgeQueries({
          ...{ target, asked: answers[i]!, running },
          holder: target.role === "upstream" ? null : holderAt(target, listeners),
        }),
      })),
      finding("pod", "Ask as a pod", judgePod(pod, running)),
    ],
  };
}

function finding(id: string, title: string, verdict: Verdict): Finding {
  return { id, title, ...verdict };
}

async function probeListeners(
  config: Config | null,
  { node, metricsAddresses }: DoctorOptions,
  { tree }: Surroundings,
): Promise<ListenerFacts> {
  const dns = config?.listeners.map(({ address, port }) => ({ address, port })) ??
    node.localIps.map((address) => ({ address, port: node.dnsPort }));
  const all = [
    ...metricsAddresses.map((one) => ({ ...one, kind: "prometheus" as const, optional: true })),
    ...config?.endpoints ?? [],
  ].filter(({ port }) => port !== 0);
  const http = [
    ...new Map(all.map(({ host, ...more }) => {
      const address = literalHost(host);
      return [`${address} ${more.port}`, { address, ...more }];
    })).values(),
  ];
  const statusAddresses = all.filter(({ kind }) => kind === "prometheus").map(({ host, port }) =>
    destinationText({
      address: WILDCARDS.includes(host) ? "127.0.0.1" : literalHost(host),
      port,
    })
  );
  return {
    dns,
    http,
    sockets: probeSockets([...dns, ...http].map(({ port }) => port), tree),
    status: await probeStatus([...new Set(statusAddresses)]),
  };
}

function ownAddresses({ dns }: ListenerFacts, links: LinkFacts): string[] {
  const all = dns.filter(({ port }) => port === 53).flatMap(({ address }) =>
    WILDCARDS.includes(address)
      ? ["127.0.0.1", "::1", ...links.addresses.map((one) => one.address)]
      : [address]
  );
  return [...new Set(all.map(canonicalAddress))];
}

function podTarget(targets: readonly Target[], localIps: readonly string[]): Target | undefined {
  const listeners = targets.filter(({ role, address, names }) =>
    role === "listener" && !/^127\.|^::1$/.test(address) && names.length > 0
  );
  return listeners.find(({ address }) =>
    localIps.includes(address) && !/^169\.254\./.test(address)
  ) ?? listeners[0];
}

async function probeAllRules(
  running: Running,
  options: DoctorOptions,
  surroundings: Surroundings,
) {
  const { tree, host } = surroundings;
  const facts = await Promise.all(
    ruleFamilies(options.rules).map(async (family) => {
      const failOpen = ruleEntries(family, options.rules).length > 0;
      const rules = await probeRules(family, surroundings);
      const levels = (failOpen ? LEVELS : ["none" as const])
        .map((level) => ({ level, set: ruleSet(family, level, options.rules) }));
      const best = levels[0]!.set;
      const matches = await probeMatches(rules, best, { ...surroundings, failOpen });
      return { family, rules, levels, best, matches, running, failOpen };
    }),
  );
  const beating = facts.filter((one) => one.failOpen && levelOf(one) !== "none")
    .map(({ family }) => family);
  const beats = running === "nodens" ? await probeHeartbeat(beating, options, surroundings) : [];
  const backend = facts.map(({ rules }) => "backends" in rules ? rules.backends.used.name : null)
    .find((name) => name !== null) ?? null;
  const path = host.env("XTABLES_LOCKFILE") ?? "/run/xtables.lock";
  const mounts = tree?.read("/proc/self/mountinfo") ?? "";
  const lock = {
    path,
    exists: host.kindOf(path) === "file",
    container: / \/ \/ \S+(?: \S+)* - overlay /m.test(mounts) ||
      host.env("KUBERNETES_SERVICE_HOST") !== undefined,
    mounted: mounts.includes(` ${path} `) || / \/run /.test(mounts),
    wantsRules: facts.length > 0,
    backend,
  };
  const six = (family: Family) => family === 4 ? "" : "6";
  const findings = [
    ...facts.map(({ family, rules, best }) => {
      const program = programOf(family);
      return finding(program, `${program} (IPv${family})`, judgeIptables(rules, best));
    }),
    finding("iptables-lock", "Lock of iptables", judgeLock(lock)),
    ...facts.map(({ family, matches }) =>
      finding(
        `matches${six(family)}`,
        `Kernel: matches of ${programOf(family)}`,
        judgeMatches(matches),
      )
    ),
    ...facts.flatMap((one) => [
      finding(`rules${six(one.family)}`, `Rules in ${programOf(one.family)}`, judgeOwnRules(one)),
      finding(
        `foreign-rules${six(one.family)}`,
        "Foreign rules above ours",
        judgeForeignRules(one),
      ),
    ]),
    finding(
      "heartbeat",
      "Heartbeat of fail-open",
      judgeHeartbeat(beats, { running, asked: beating.length > 0 }),
    ),
  ];
  return { findings, backend };
}
