import type { GroupSettings } from "../../upstream/group.ts";
import type { ResolvConf } from "../../config/resolv_conf.ts";
import type { Policy, ServerAddress, ServerTransport } from "../../upstream/options.ts";

/** One TO as the Corefile has it: what the upstreams come from. */
export type ForwardTo =
  | { kind: "server"; upstream: ServerAddress }
  /**
   * A file in the form of resolv.conf(5), followed when it changes, and what it said when the
   * configuration was read; nothing if it does not exist.
   */
  | { kind: "file"; path: string; content: ResolvConf }
  /** A host name, resolved by the control plane. */
  | {
    kind: "name";
    host: string;
    port: number;
    transport: ServerTransport;
    serverName: string;
  };

/** Options of one `forward` directive. */
export interface ForwardOptions extends GroupSettings {
  /** Zone that is forwarded, normalised. */
  from: string;
  /** Zones below `from` that are not, normalised. */
  except: string[];
  /** In the order of the Corefile. */
  to: ForwardTo[];
  /**
   * What `to` stands for: a file as the servers that it names now, but for listeners of nodens
   * itself; host names not yet there.
   */
  upstreams: ServerAddress[];
  /** Which options of resolv.conf count, because the Corefile says nothing of them. */
  resolvConfOptions: ("timeout" | "attempts" | "rotate")[];
  /** Servers that resolve host names in `to`; empty for those of /etc/resolv.conf. */
  resolvers: { address: string; port: number }[];
  preferUdp: boolean;
  /** Pass the client's subnet on (RFC 7871). */
  ecsPass: boolean;
  /** Most queries in flight; 0 for no limit. */
  maxConcurrent: number;
  /** Response codes that send the query on to the next `forward` of the block. */
  next: number[];
  /** NODATA sends the query on to the next `forward` of the block. */
  nextOnNodata: boolean;
}

/** What the control plane hands to a running `forward` when what its TO stand for has changed. */
export interface UpstreamsUpdate {
  upstreams: ServerAddress[];
  readTimeoutMs: number;
  maxConnectAttempts: number | null;
  policy: Policy;
}
