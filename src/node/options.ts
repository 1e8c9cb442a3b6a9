/** Flags of the node role. */
export interface NodeOptions {
  /** Canonical; if empty, the host is not changed. */
  localIps: readonly string[];
  dnsPort: number;
  /** Port of `health` there; untracked too. */
  healthPort: number;
  setupInterface: boolean;
  interfaceName: string;
  setupIptables: boolean;
  syncIntervalMs: number;
  skipTeardown: boolean;
  /** May be empty. */
  metricsListenAddress: string;
  template: TemplateOptions | null;
}

/** Options of a template. */
export interface TemplateOptions {
  baseFile: string;
  /** Its absence is a fault. */
  baseRequired: boolean;
  target: string;
  configDirectory: string;
  configRequired: boolean;
  upstreamService: string;
  domain: string;
  /** Value of `__PROMETHEUS__ENDPOINT__`. */
  metricsEndpoint: string;
  localIps: readonly string[];
  dnsPort: number;
}
