/** What the flags of the node role say, as plain data. */
export interface NodeOptions {
  /**
   * Addresses that the cache listens on and that the interface gets, each in one spelling, IPv4 and
   * IPv6 together. Empty: nothing of the host is touched.
   */
  localIps: string[];
  /** Port of DNS on those addresses (`-dns.port`). */
  dnsPort: number;
  /** Port of `health` on those addresses, which is not tracked either. */
  healthPort: number;
  /** Whether the interface is made; false without local addresses. */
  setupInterface: boolean;
  interfaceName: string;
  /** Whether the iptables rules are made; false without local addresses. */
  setupIptables: boolean;
  /** From one check of interface and rules to the next. */
  syncIntervalMs: number;
  /** Interface and rules stay when the process ends. */
  skipTeardown: boolean;
  /** Where metrics are served besides what the Corefile says; empty for nowhere. */
  metricsListenAddress: string;
  /** How the Corefile is made from a template; null if it is served as it stands. */
  template: TemplateOptions | null;
}

/** How a Corefile is made from a template. */
export interface TemplateOptions {
  /** The template. */
  baseFile: string;
  /** The template was asked for by name, so a missing one is a fault whatever else is there. */
  baseRequired: boolean;
  /** Where the Corefile is written, and served from. */
  target: string;
  /** Directory of the mounted kube-dns config map. */
  configDirectory: string;
  /** That directory was asked for by name, so a missing one is a fault. */
  configRequired: boolean;
  /** Service whose address is `__PILLAR__CLUSTER__DNS__`. */
  upstreamService: string;
  /** `__PILLAR__DNS__DOMAIN__`. */
  domain: string;
  localIps: string[];
  /** Port of the server blocks of stub domains. */
  dnsPort: number;
}
