/** A server to forward to. */
export interface UpstreamOptions {
  /** IP address in presentation format; an IPv6 link-local one with its scope (`fe80::1%eth0`). */
  address: string;
  port: number;
  transport: UpstreamTransport;
  /** Name that its certificate must carry (tls, https); empty for the address itself. */
  serverName: string;
}

/** How an upstream is spoken to: plain DNS over UDP and TCP, DNS over TLS, DNS over HTTPS. */
export type UpstreamTransport = "dns" | "tls" | "https";

/** One TO as the Corefile has it: what the upstreams come from. */
export type ForwardTo =
  | { kind: "server"; upstream: UpstreamOptions }
  /** A file in the form of resolv.conf(5), followed when it changes. */
  | { kind: "file"; path: string }
  /** A host name, resolved by the control plane. */
  | {
    kind: "name";
    host: string;
    port: number;
    transport: UpstreamTransport;
    serverName: string;
  };

/** How upstreams are put in order for a query. */
export type ForwardPolicy = "random" | "round_robin" | "sequential" | "fastest";

/** Options of one `forward` directive. */
export interface ForwardOptions {
  /** Zone that is forwarded, normalised. */
  from: string;
  /** Zones below `from` that are not, normalised. */
  except: string[];
  /** In the order of the Corefile. */
  to: ForwardTo[];
  /** What `to` stands for: resolv.conf as the servers that it names now, host names not yet there. */
  upstreams: UpstreamOptions[];
  /** Which options of resolv.conf count, because the Corefile says nothing of them. */
  resolvConfOptions: ("timeout" | "attempts" | "rotate")[];
  /** Servers that resolve host names in `to`; empty for those of /etc/resolv.conf. */
  resolvers: { address: string; port: number }[];
  forceTcp: boolean;
  preferUdp: boolean;
  /** Idle TCP connections are closed after this time. */
  expireMs: number;
  /** Connections take no new queries once they are this old; 0 for no limit. */
  maxAgeMs: number;
  /** Most idle TCP connections kept an upstream; 0 for no limit. */
  maxIdleConns: number;
  /** Time that one upstream is given for one answer. */
  readTimeoutMs: number;
  /** Failed health checks after which an upstream counts as down; 0 for never. */
  maxFails: number;
  /** Most attempts a query; 0 for no limit, null for twice the number of upstreams. */
  maxConnectAttempts: number | null;
  policy: ForwardPolicy;
  /** When a second upstream is asked too: after this time, after its usual time, or never. */
  hedgeMs: number | "auto" | null;
  healthCheck: { intervalMs: number; recursionDesired: boolean; domain: string };
  /** PEM files for upstreams over TLS. */
  tls: { certFile: string | null; keyFile: string | null; caFile: string | null };
  dohMethod: "GET" | "POST";
  /** Spell the name in random case and want it back so (draft-vixie-dnsext-dns0x20). */
  mixedCase: boolean;
  /** Send and want DNS cookies (RFC 7873). */
  cookies: boolean;
  /** Pass the client's subnet on (RFC 7871). */
  ecsPass: boolean;
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

/** What the control plane hands to a running `forward` when what its TO stand for has changed. */
export interface UpstreamsUpdate {
  upstreams: UpstreamOptions[];
  readTimeoutMs: number;
  maxConnectAttempts: number | null;
  policy: ForwardPolicy;
}

/** How one upstream of a running `forward` is: what it answers to `{ type: "upstreams" }`. */
export interface UpstreamState {
  /** As shown in messages and labels: `10.0.0.10:53`. */
  to: string;
  /** Suspect: something failed and nothing has come since; down: checks have failed as well. */
  state: "up" | "suspect" | "down";
  /** Smoothed time of a reply; null as long as none has come. */
  rttMs: number | null;
}
