/** Checked options of a new manifest. */
export interface ManifestOptions {
  /** One per family; the first is for probes. */
  localDns: readonly string[];
  kubeDns: readonly string[];
  domain: string;
  /**
   * `iptables`: nodens also listens on the kube-dns address. `ipvs`: kube-proxy holds it, pods use
   * the local one. `redirect`: rules redirect it to the local one.
   */
  mode: "iptables" | "ipvs" | "redirect";
  image: string;
  plain: boolean;
  memory: string;
  podMonitor: boolean;
  /** Source of names: none, or the kubelet, by its right of Kubernetes 1.33 or before. */
  clients: "off" | "kubelet" | "kubelet-before-1.33";
  /** Interfaces on which the kernel answers hits; null for none. */
  kernelHits: "auto" | readonly string[] | null;
  networkPolicies: readonly string[];
}

/** The published manifest's ports; `ready` is CoreDNS's. */
export const PORTS = { metrics: 9253, own: 9353, health: 8080, ready: 8181 } as const;

/** Addresses that nodens listens on. */
export function listenAddresses({ localDns, kubeDns, mode }: ManifestOptions): string[] {
  return mode === "iptables" ? [...localDns, ...kubeDns] : [...localDns];
}
