import type { ResolvConf } from "../../config/resolv_conf.ts";
import type { GroupSettings, ServerAddress, ServerTransport } from "../../upstream/options.ts";

/** One TO of the Corefile. */
export type ForwardTo =
  | { kind: "server"; upstream: ServerAddress }
  /** A resolv.conf(5) file; `content` at load time. */
  | { kind: "file"; path: string; content: ResolvConf }
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
  /** At load time: without host names and listeners of nodens. */
  upstreams: ServerAddress[];
  /** Not overridden by the Corefile. */
  resolvConfOptions: ("timeout" | "attempts" | "rotate")[];
  /** Resolve host names; empty for those of /etc/resolv.conf. */
  resolvers: { address: string; port: number }[];
  preferUdp: boolean;
  /** RFC 7871. */
  ecsPass: boolean;
  /** 0 for no limit. */
  maxConcurrent: number;
  next: number[];
  nextOnNodata: boolean;
}

/** Current servers, and options that depend on them. */
export type UpstreamsUpdate = Pick<
  ForwardOptions,
  "upstreams" | "readTimeoutMs" | "maxConnectAttempts" | "policy"
>;
