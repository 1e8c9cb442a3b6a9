/** A server to ask. */
export interface ServerAddress {
  /** IP address in presentation format; IPv6 link-local with its scope (`fe80::1%eth0`). */
  address: string;
  port: number;
  transport: ServerTransport;
  /** Name that its certificate must carry; empty for its address. */
  serverName: string;
}

/** In which order servers are asked. */
export type Policy = "random" | "round_robin" | "sequential" | "fastest";

/** Plain DNS, DNS over TLS, DNS over HTTPS. */
export type ServerTransport = "dns" | "tls" | "https";

/** Settings of a group of servers. */
export interface GroupSettings {
  policy: Policy;
  forceTcp: boolean;
  readTimeoutMs: number;
  /** Per server; null for the default of its transport. */
  maxConnections: number | null;
  expireMs: number;
  /** Connections this old get no new queries; 0 for no limit. */
  maxAgeMs: number;
  /** 0 for no limit. */
  maxIdleConns: number;
  /** 0 for never down. */
  maxFails: number;
  healthCheck: { intervalMs: number; recursionDesired: boolean; domain: string };
  /** PEM files. */
  tls: { certFile: string | null; keyFile: string | null; caFile: string | null };
  dohMethod: "GET" | "POST";
  /** draft-vixie-dnsext-dns0x20. */
  mixedCase: boolean;
  /** RFC 7873. */
  cookies: boolean;
  sourceAddress: string | null;
  /** Attempts per question; 0 for no limit, null for twice the number of servers. */
  maxConnectAttempts: number | null;
  /** After this time, after the first server's usual time, or never. */
  hedgeMs: number | "auto" | null;
  /** Response codes. */
  failover: number[];
  failfastAllUnhealthyUpstreams: boolean;
}

/** State of a server, for people. */
export interface ServerState {
  to: string;
  /** Suspect: a query failed and nothing has arrived since. Down: checks failed too. */
  state: "up" | "suspect" | "down";
  /** Null before the first reply. */
  rttMs: number | null;
}

/** `10.0.0.10:53`, `tls://[2001:db8::1]:853`. */
export function labelOf({ address, port, transport, serverName }: ServerAddress): string {
  const host = address.includes(":") ? `[${address}]` : address;
  if (transport === "dns") return `${host}:${port}`;
  return `${transport}://${host}${serverName === "" ? "" : `%${serverName}`}:${port}`;
}
