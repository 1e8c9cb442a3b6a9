import type { ResolvConf } from "../../config/resolv_conf.ts";
import { TRANSPORT_PORTS } from "../../upstream/endpoint.ts";
import type { ServerAddress } from "../../upstream/options.ts";
import type { ForwardOptions, ResolvedUpstreams } from "./options.ts";

/** CoreDNS's defaults. */
export const UNSET = {
  readTimeoutMs: 2000,
  maxConnectAttempts: null,
  policy: "random",
} as const;

/** Second half of a warning. */
export const MEANWHILE = {
  nobody: "queries get SERVFAIL until it names one",
  others: "the other upstreams are asked until it names one",
  another: "queries get SERVFAIL until it names another server",
  before: "the servers that it named before stay",
} as const;

/** Sources of files and names. */
export interface ToSources {
  /** Default: those at load time. */
  files?: ReadonlyMap<string, ResolvConf>;
  addresses?: ReadonlyMap<string, readonly string[]>;
  /** Default: none. */
  leavesOut?: (server: ServerAddress) => boolean;
}

/** As in CoreDNS, the first of equal servers counts, and the first file that sets an option. */
export function resolveTo(
  options: Pick<ForwardOptions, "to" | "resolvConfOptions" | keyof typeof UNSET>,
  { files: contents, addresses, leavesOut = () => false }: ToSources = {},
): ResolvedUpstreams {
  const { to, resolvConfOptions, readTimeoutMs, maxConnectAttempts, policy } = options;
  const files: ResolvConf[] = [];
  const unique = new Map<string, ServerAddress>();
  const add = (upstream: ServerAddress) => {
    const key = `${upstream.address} ${upstream.port}`;
    if (!unique.has(key)) unique.set(key, upstream);
  };
  for (const one of to) {
    if (one.kind === "server") {
      add(one.upstream);
    } else if (one.kind === "file") {
      const file = contents?.get(one.path) ?? one.content;
      files.push(file);
      file.servers.map(fileServer).filter((server) => !leavesOut(server)).forEach(add);
    } else {
      const { kind: _, host, ...server } = one;
      for (const address of addresses?.get(host) ?? []) add({ address, ...server });
    }
  }
  const upstreams = [...unique.values()];
  const update: ResolvedUpstreams = { upstreams, readTimeoutMs, maxConnectAttempts, policy };
  const first = (value: (file: ResolvConf) => number | null) =>
    files.map(value).find((found) => found !== null) ?? null;
  for (const option of resolvConfOptions) {
    if (option === "timeout") {
      update.readTimeoutMs = first(({ timeoutMs }) => timeoutMs) ?? UNSET.readTimeoutMs;
    } else if (option === "attempts") {
      // Zero would mean unlimited attempts.
      update.maxConnectAttempts = (first(({ attempts }) => attempts) ?? 0) * upstreams.length ||
        UNSET.maxConnectAttempts;
    } else {
      update.policy = files.some(({ rotate }) => rotate) ? "round_robin" : UNSET.policy;
    }
  }
  return update;
}

/** The server of a `nameserver` line. */
export function fileServer(address: string): ServerAddress {
  return { address, port: TRANSPORT_PORTS.dns, transport: "dns", serverName: "" };
}
