import type { ResolvConf } from "../../config/resolv_conf.ts";
import type { GroupSettings, ServerAddress, ServerTransport } from "../../upstream/options.ts";

/** One TO of the Corefile. */
export type ForwardTo =
  | { kind: "server"; upstream: ServerAddress }
  /** A resolv.conf(5) file with its content at load time (empty if it did not exist); followed. */
  | { kind: "file"; path: string; content: ResolvConf }
  /** A host name, resolved by the control plane. */
  | { kind: "name"; host: string; port: number; transport: ServerTransport; serverName: string };

/** How the servers of a TO are reached. */
export function transportOf(to: ForwardTo): ServerTransport {
  return to.kind === "server" ? to.upstream.transport : to.kind === "name" ? to.transport : "dns";
}

/** Options of one `forward` directive. */
export interface ForwardOptions extends GroupSettings {
  /** Zone to forward, normalised. */
  from: string;
  except: string[];
  to: ForwardTo[];
  /** The servers of `to` at load time, without host names and listeners of nodens. */
  upstreams: ServerAddress[];
  /** Options of resolv.conf that the Corefile does not override. */
  resolvConfOptions: ("timeout" | "attempts" | "rotate")[];
  /** Servers that resolve host names in `to`; empty for those of /etc/resolv.conf. */
  resolvers: { address: string; port: number }[];
  preferUdp: boolean;
  /** Pass on the client's subnet (RFC 7871). */
  ecsPass: boolean;
  /** 0 for no limit. */
  maxConcurrent: number;
  /** Response codes that pass the query to the next `forward` of the block. */
  next: number[];
  /** The same for NODATA. */
  nextOnNodata: boolean;
}

/** Current servers, and options that depend on them. */
export type UpstreamsUpdate = Pick<
  ForwardOptions,
  "upstreams" | "readTimeoutMs" | "maxConnectAttempts" | "policy"
>;
