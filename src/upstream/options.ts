/** A server to ask. */
export interface ServerAddress {
  /** IP address in presentation format; an IPv6 link-local one with its scope (`fe80::1%eth0`). */
  address: string;
  port: number;
  transport: ServerTransport;
  /** Name that its certificate must carry (tls, https); empty for the address itself. */
  serverName: string;
}

/** How a server is spoken to: plain DNS over UDP and TCP, DNS over TLS, DNS over HTTPS. */
export type ServerTransport = "dns" | "tls" | "https";

/** How servers are spoken to. */
export interface ServerSettings {
  forceTcp: boolean;
  /** Time that one server is given for one answer. */
  readTimeoutMs: number;
  /** Most connections to one server; null for the default of its transport. */
  maxConnections: number | null;
  /** Idle connections are closed after this time. */
  expireMs: number;
  /** Connections take no new queries once they are this old; 0 for no limit. */
  maxAgeMs: number;
  /** Most idle connections kept; 0 for no limit. */
  maxIdleConns: number;
  /** Failed health checks after which a server counts as down; 0 for never. */
  maxFails: number;
  healthCheck: { intervalMs: number; recursionDesired: boolean; domain: string };
  /** PEM files for servers over TLS. */
  tls: { certFile: string | null; keyFile: string | null; caFile: string | null };
  dohMethod: "GET" | "POST";
  /** Spell the name in random case and want it back so (draft-vixie-dnsext-dns0x20). */
  mixedCase: boolean;
  /** Send and want DNS cookies (RFC 7873). */
  cookies: boolean;
  /** Address that queries are sent from, or null. */
  sourceAddress: string | null;
}

/** In which order servers are asked. */
export type Policy = "random" | "round_robin" | "sequential" | "fastest";

/** How one server is, for people. */
export interface ServerState {
  /** As shown in messages and labels: `10.0.0.10:53`. */
  to: string;
  /** Suspect: something failed and nothing has come since; down: checks have failed as well. */
  state: "up" | "suspect" | "down";
  /** Smoothed time of a reply; null as long as none has come. */
  rttMs: number | null;
}

/** Name of a server in messages and labels: `10.0.0.10:53`, `tls://[2001:db8::1]:853`. */
export function labelOf({ address, port, transport, serverName }: ServerAddress): string {
  const host = address.includes(":") ? `[${address}]` : address;
  if (transport === "dns") return `${host}:${port}`;
  return `${transport}://${host}${serverName === "" ? "" : `%${serverName}`}:${port}`;
}
