/** Options of a new manifest, checked. */
export interface ManifestOptions {
  /** Addresses of nodens on every node, one of each family; the first is for probes. */
  localDns: readonly string[];
  kubeDns: readonly string[];
  domain: string;
  /**
   * How queries reach nodens. With `iptables` it listens on the kube-dns address too; with `ipvs`
   * kube-proxy holds that address, so pods use the local one; with `redirect` rules of nodens
   * redirect the kube-dns address to the local one.
   */
  mode: "iptables" | "ipvs" | "redirect";
  image: string;
  plain: boolean;
  memory: string;
  podMonitor: boolean;
  networkPolicies: readonly string[];
}

/** Ports on the node: those of the published manifest, and CoreDNS's for `ready`. */
export const PORTS = { metrics: 9253, own: 9353, health: 8080, ready: 8181 } as const;

/** Addresses that nodens listens on. */
export function listenAddresses({ localDns, kubeDns, mode }: ManifestOptions): string[] {
  return mode === "iptables" ? [...localDns, ...kubeDns] : [...localDns];
}
