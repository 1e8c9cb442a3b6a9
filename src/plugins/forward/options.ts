/** A server to forward to. */
export interface UpstreamOptions {
  /** IP address in presentation format; an IPv6 link-local one with its scope (`fe80::1%eth0`). */
  address: string;
  port: number;
  transport: "dns";
}

/** How upstreams are put in order for a query. */
export type ForwardPolicy = "random" | "round_robin" | "sequential";

/** Options of one `forward` directive. */
export interface ForwardOptions {
  /** Zone that is forwarded, normalised. */
  from: string;
  /** Zones below `from` that are not, normalised. */
  except: string[];
  /** In the order of the Corefile; a resolv.conf stands here as the servers that it names. */
  upstreams: UpstreamOptions[];
  forceTcp: boolean;
  preferUdp: boolean;
  /** Idle TCP connections are closed after this time. */
  expireMs: number;
  /** Most idle TCP connections kept an upstream; 0 for no limit. */
  maxIdleConns: number;
  /** Time that one upstream is given for one answer. */
  readTimeoutMs: number;
  /** Failed health checks after which an upstream counts as down; 0 for never. */
  maxFails: number;
  /** Most attempts a query; 0 for no limit, null for twice the number of upstreams. */
  maxConnectAttempts: number | null;
  policy: ForwardPolicy;
  healthCheck: { intervalMs: number; recursionDesired: boolean; domain: string };
  /** Most queries in flight; 0 for no limit. */
  maxConcurrent: number;
  /** Response codes that send the query on to the next `forward` of the block. */
  next: number[];
  /** NODATA sends the query on to the next `forward` of the block. */
  nextOnNodata: boolean;
  /** Answer SERVFAIL at once while all upstreams are down. */
  failfastAllUnhealthyUpstreams: boolean;
  /** Response codes that make the query try the next upstream. */
  failover: number[];
  /** Address that upstream queries are sent from, or null. */
  sourceAddress: string | null;
}
