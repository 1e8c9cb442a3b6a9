/** What the flags of the node role say. */
export interface NodeOptions {
  /** In canonical form, of both families; if empty, nothing of the host is changed. */
  localIps: string[];
  dnsPort: number;
  /** Port of `health` on those addresses; not tracked either. */
  healthPort: number;
  setupInterface: boolean;
  interfaceName: string;
  setupIptables: boolean;
  syncIntervalMs: number;
  skipTeardown: boolean;
  /** Address for metrics besides those of the Corefile; empty for none. */
  metricsListenAddress: string;
  template: TemplateOptions | null;
}

/** How a Corefile is made from a template. */
export interface TemplateOptions {
  baseFile: string;
  /** It was named by a flag, so it is always a fault if it is missing. */
  baseRequired: boolean;
  target: string;
  configDirectory: string;
  /** It was named by a flag, so it is a fault if it is missing. */
  configRequired: boolean;
  upstreamService: string;
  domain: string;
  /** Value of `__PROMETHEUS__ENDPOINT__`. */
  metricsEndpoint: string;
  localIps: string[];
  dnsPort: number;
}
