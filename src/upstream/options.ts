/** A server to ask. */
export interface ServerAddress {
  /** IPv6 link-local with scope (`fe80::1%eth0`). */
  address: string;
  port: number;
  transport: ServerTransport;
  /** Certificate's name; empty for the address. */
  serverName: string;
}

/** Order of servers. */
export type Policy = "random" | "round_robin" | "sequential" | "fastest";

/** Plain DNS, DNS over TLS, DNS over HTTPS. */
export type ServerTransport = "dns" | "tls" | "https";

/** Settings of a group. */
export interface GroupSettings {
  policy: Policy;
  forceTcp: boolean;
  readTimeoutMs: number;
  /** Per server; null: transport's default. */
  maxConnections: number | null;
  expireMs: number;
  /** 0: no limit. */
  maxAgeMs: number;
  /** 0: no limit. */
  maxIdleConns: number;
  /** 0: never down. */
  maxFails: number;
  healthCheck: { intervalMs: number; recursionDesired: boolean; domain: string };
  /** PEM files. */
  tls: { certFile: string | null; keyFile: string | null; caFile: string | null };
  dohMethod: "GET" | "POST";
  /** draft-vixie-dnsext-dns0x20. */
  mixedCase: boolean;
  cookies: boolean;
  sourceAddress: string | null;
  /** Per question; 0: no limit, null: twice the servers. */
  maxConnectAttempts: number | null;
  /** "auto": the first server's usual time. */
  hedgeMs: number | "auto" | null;
  /** Response codes. */
  failover: number[];
  failfastAllUnhealthyUpstreams: boolean;
}

/** Set by an operator, whatever checks say. */
export type Forced = "up" | "down";

/** A server's state, for display. */
export interface ServerState {
  to: string;
  /** Suspect: a query failed, nothing arrived since. */
  state: "up" | "suspect" | "down";
  /** Null: no reply yet. */
  rttMs: number | null;
  forced: Forced | null;
}

/** `10.0.0.10:53`, `tls://[2001:db8::1]:853`. */
export function labelOf({ address, port, transport, serverName }: ServerAddress): string {
  const host = address.includes(":") ? `[${address}]` : address;
  if (transport === "dns") return `${host}:${port}`;
  return `${transport}://${host}${serverName === "" ? "" : `%${serverName}`}:${port}`;
}
