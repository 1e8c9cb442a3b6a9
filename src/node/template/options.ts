/** What the flags of the node role say. */
export interface NodeOptions {
  /**
   * Addresses that the cache listens on and the interface gets, in canonical form, of both families.
   * If empty, nothing of the host is changed.
   */
  localIps: string[];
  /** Port of DNS on those addresses (`-dns.port`). */
  dnsPort: number;
  /** Port of `health` on those addresses; not tracked either. */
  healthPort: number;
  /** Whether to make the interface; false without local addresses. */
  setupInterface: boolean;
  interfaceName: string;
  /** Whether to install the iptables rules; false without local addresses. */
  setupIptables: boolean;
  /** Interval between checks of interface and rules. */
  syncIntervalMs: number;
  /** Interface and rules stay when the process ends. */
  skipTeardown: boolean;
  /** Address for metrics besides those of the Corefile; empty for none. */
  metricsListenAddress: string;
  /** Null if the Corefile is served unchanged. */
  template: TemplateOptions | null;
}

/** How a Corefile is made from a template. */
export interface TemplateOptions {
  /** Path of the template. */
  baseFile: string;
  /** It was named by a flag, so it is always a fault if it is missing. */
  baseRequired: boolean;
  /** Where the Corefile is written, and served from. */
  target: string;
  /** Directory of the mounted kube-dns config map. */
  configDirectory: string;
  /** It was named by a flag, so it is a fault if it is missing. */
  configRequired: boolean;
  /** Service whose address is `__PILLAR__CLUSTER__DNS__`. */
  upstreamService: string;
  /** `__PILLAR__DNS__DOMAIN__`. */
  domain: string;
  localIps: string[];
  /** Port of the server blocks of stub domains. */
  dnsPort: number;
}
