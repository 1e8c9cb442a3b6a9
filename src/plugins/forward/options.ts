import type { ResolvConf } from "../../config/resolv_conf.ts";
import type {
  Forced,
  GroupSettings,
  ServerAddress,
  ServerTransport,
} from "../../upstream/options.ts";

/** One TO of the Corefile. */
export type ForwardTo =
  | { kind: "server"; upstream: ServerAddress }
  /** resolv.conf(5); `content` at load time. */
  | { kind: "file"; path: string; content: ResolvConf }
  | { kind: "name"; host: string; port: number; transport: ServerTransport; serverName: string };

/** Transport to the servers of a TO. */
export function transportOf(to: ForwardTo): ServerTransport {
  return to.kind === "server" ? to.upstream.transport : to.kind === "name" ? to.transport : "dns";
}

/** Options of `forward`. */
export interface ForwardOptions extends GroupSettings {
  /** Normalised. */
  from: string;
  except: string[];
  to: ForwardTo[];
  /** Without host names and own listeners. */
  upstreams: ServerAddress[];
  /** Not overridden by the Corefile. */
  resolvConfOptions: ("timeout" | "attempts" | "rotate")[];
  /** For host names; empty: those of /etc/resolv.conf. */
  resolvers: { address: string; port: number }[];
  preferUdp: boolean;
  ecsPass: boolean;
  /** 0: unlimited. */
  maxConcurrent: number;
  next: number[];
  nextOnNodata: boolean;
}

/** Servers, and options that depend on them. */
export type ResolvedUpstreams = Pick<
  ForwardOptions,
  "upstreams" | "readTimeoutMs" | "maxConnectAttempts" | "policy"
>;

/** Data for the handler. */
export interface UpstreamsUpdate extends ResolvedUpstreams {
  /** By label; none if left out. */
  forced?: Readonly<Record<string, Forced>>;
}

/** Asks a handler for all servers' states. */
export const STATES_REQUEST = { type: "upstreams" } as const;

/** Servers in an answer: a data plane takes a fraction of a millisecond. */
export const DETAILS_SLICE = 64;

/** Asks for the details of `DETAILS_SLICE` servers from this one. */
export interface DetailsRequest {
  type: "servers";
  from: number;
}
