/** How the node's queries get to nodens, which depends on what kube-proxy does. */
export type ProxyMode =
  /** nodens listens on the address of the kube-dns service too: kube-proxy with iptables rules. */
  | "iptables"
  /** It listens on the local address alone: kube-proxy's IPVS holds that of the service. */
  | "ipvs"
  /** What is sent to the address of the service is turned to the local one by rules of nodens. */
  | "redirect";

/** Every mode there is. */
export const PROXY_MODES: readonly ProxyMode[] = ["iptables", "ipvs", "redirect"];

/** What a manifest is made of: plain data, all of it checked before. */
export interface ManifestOptions {
  /** Addresses of nodens on every node, one of each family, the first for probes. */
  localDns: readonly string[];
  /** Addresses of the kube-dns service, one of each family. */
  kubeDns: readonly string[];
  /** Domain of the cluster, without a closing dot. */
  domain: string;
  mode: ProxyMode;
  image: string;
  /** Whether the Corefile is the published one, without what nodens adds to it. */
  plain: boolean;
  /** Memory limit of the container, as Kubernetes writes it (`192Mi`). */
  memory: string;
  /** Adds a PodMonitor (Prometheus operator). */
  podMonitor: boolean;
  /** Namespaces that get a NetworkPolicy which lets their pods reach DNS. */
  networkPolicies: readonly string[];
}

/** What a flag that is not given stands for; the chart's values have the same. */
export const MANIFEST_DEFAULTS = {
  localDns: "169.254.20.10",
  domain: "cluster.local",
  mode: "iptables",
  memory: "192Mi",
} as const;

/** Ports on the node, those of the published manifest and CoreDNS's for `ready`. */
export const PORTS = { metrics: 9253, own: 9353, health: 8080, ready: 8181 } as const;

/** Addresses that nodens listens on: in iptables mode those of the service too. */
export function listenAddresses({ localDns, kubeDns, mode }: ManifestOptions): string[] {
  return mode === "iptables" ? [...localDns, ...kubeDns] : [...localDns];
}

/** `ADDRESS:PORT`, an IPv6 address in brackets. */
export function withPort(address: string, port: number): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}
