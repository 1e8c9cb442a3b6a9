import type { HostView } from "../../config/host.ts";
import { parseResolvConf } from "../../config/resolv_conf.ts";
import type { Config } from "../../config/types.ts";
import { canonicalAddress, parseAddress } from "../../dns/address.ts";
import { forwardings } from "../../plugins/config_traits.ts";
import type { KubeletFacts, ResolvConfFacts } from "../judge/resolv_conf.ts";

const RESOLV_CONF = "/etc/resolv.conf";
/** kubeadm, k3s, and cloud images. */
const KUBELET_CONFIGS = [
  "/var/lib/kubelet/config.yaml",
  "/etc/kubernetes/kubelet/config.json",
  "/etc/kubernetes/kubelet/kubelet-config.json",
  "/etc/kubernetes/kubelet.conf.d/config.yaml",
];
const STATUS_LIMIT_MS = 1000;

/** Reads all resolv.conf files in use. */
export function probeResolvConfs(config: Config | null, host: HostView): ResolvConfFacts[] {
  const leftOut = new Map<string, Set<string>>();
  for (const { files, servers } of config === null ? [] : forwardings(config)) {
    for (const { path, servers: named } of files) {
      const out = leftOut.get(path) ?? new Set();
      leftOut.set(path, out);
      for (const address of named) {
        if (!servers.some((server) => server.address === address)) out.add(address);
      }
    }
  }
  return [...new Set([...leftOut.keys(), RESOLV_CONF])]
    .map((path) => ({
      ...readResolvConf(path, leftOut.has(path), host),
      leftOut: [...leftOut.get(path) ?? []],
    }))
    .filter(({ forwarded, servers }) => forwarded || servers !== null);
}

/** Kubelet's configuration, if visible. */
export async function probeKubelet(host: HostView): Promise<KubeletFacts | null> {
  for (const path of KUBELET_CONFIGS) {
    const text = textOf(path, host);
    if (text === null) continue;
    const { clusterDns, resolvConf: file } = await parseKubeletConfig(text);
    const resolvConf = file === null ? null : readResolvConf(file, false, host);
    return { path, clusterDns, resolvConf };
  }
  return null;
}

/** Reads `clusterDNS` and `resolvConf` (YAML or JSON); what kubelet would refuse counts as unset. */
export async function parseKubeletConfig(
  text: string,
): Promise<Pick<KubeletFacts, "clusterDns"> & { resolvConf: string | null }> {
  const { parseDocument } = await import("yaml");
  const document = parseDocument(text);
  const config: { clusterDNS?: unknown; resolvConf?: unknown } | null = document.errors.length > 0
    ? null
    : document.toJS();
  const servers = Array.isArray(config?.clusterDNS) ? config.clusterDNS.map(String) : [];
  const file = config?.resolvConf;
  return {
    clusterDns: servers.filter((one) => parseAddress(one) !== null).map(canonicalAddress),
    resolvConf: typeof file === "string" && file.startsWith("/") ? file : null,
  };
}

/** Requests nodens' status page. */
export async function probeStatus(
  addresses: readonly string[],
): Promise<{ pid: number; version: string } | null> {
  const answers = await Promise.all(addresses.map(async (address) => {
    try {
      const signal = AbortSignal.timeout(STATUS_LIMIT_MS);
      const response = await fetch(`http://${address}/status`, { signal, redirect: "error" });
      const status = await response.json();
      if (!response.ok || !Array.isArray(status?.blocks)) return null;
      return { pid: Number(status.pid), version: String(status.version) };
    } catch {
      return null;
    }
  }));
  return answers.find((answer) => answer !== null) ?? null;
}

function readResolvConf(path: string, forwarded: boolean, host: HostView): ResolvConfFacts {
  const text = textOf(path, host);
  return { path, servers: text === null ? null : parseResolvConf(text).servers, forwarded };
}

function textOf(path: string, host: HostView): string | null {
  try {
    return host.readTextFile(path);
  } catch {
    return null;
  }
}
