import type { ServerAddress } from "../../upstream/options.ts";
import type { ForwardOptions, UpstreamsUpdate } from "./options.ts";
import type { ResolvConf } from "../../config/resolv_conf.ts";
import { TRANSPORT_PORTS } from "../../upstream/endpoint.ts";

/** What counts where neither the Corefile nor a resolv.conf says anything (CoreDNS's defaults). */
export const UNSAID = {
  readTimeoutMs: 2000,
  maxConnectAttempts: null,
  policy: "random",
} as const;

/** What the TO that are no addresses stand for at the moment. */
export interface ToSources {
  /** What files say, by path; default: what they said when the configuration was read. */
  files?: ReadonlyMap<string, ResolvConf>;
  /** Addresses by host name; a name that is missing has none yet. */
  addresses?: ReadonlyMap<string, readonly string[]>;
  /** Whether a server that a file names is left out; default: none is. */
  leavesOut?: (server: ServerAddress) => boolean;
}

/**
 * The upstreams that `to` stands for, and the options that a resolv.conf among them sets.
 *
 * Of upstreams with equal address and port the first counts, as in CoreDNS; of several files, the
 * first that sets an option.
 */
export function resolveTo(
  options: Pick<ForwardOptions, "to" | "resolvConfOptions" | keyof typeof UNSAID>,
  { files: contents, addresses, leavesOut = () => false }: ToSources = {},
): UpstreamsUpdate {
  const files: ResolvConf[] = [];
  const upstreams = new Map<string, ServerAddress>();
  const add = (upstream: ServerAddress) => {
    const key = `${upstream.address} ${upstream.port}`;
    if (!upstreams.has(key)) upstreams.set(key, upstream);
  };
  for (const to of options.to) {
    if (to.kind === "server") {
      add(to.upstream);
    } else if (to.kind === "file") {
      const file = contents?.get(to.path) ?? to.content;
      files.push(file);
      file.servers.map(fileServer).filter((server) => !leavesOut(server)).forEach(add);
    } else {
      const { host, port, transport, serverName } = to;
      for (const address of addresses?.get(host) ?? []) {
        add({ address, port, transport, serverName });
      }
    }
  }
  const open = options.resolvConfOptions;
  const update: UpstreamsUpdate = {
    upstreams: [...upstreams.values()],
    readTimeoutMs: options.readTimeoutMs,
    maxConnectAttempts: options.maxConnectAttempts,
    policy: options.policy,
  };
  if (open.includes("timeout")) {
    update.readTimeoutMs = first(files, ({ timeoutMs }) => timeoutMs) ?? UNSAID.readTimeoutMs;
  }
  if (open.includes("attempts")) {
    const attempts = first(files, (file) => file.attempts);
    // Zero attempts would mean no limit.
    update.maxConnectAttempts = attempts === null || upstreams.size === 0
      ? UNSAID.maxConnectAttempts
      : attempts * upstreams.size;
  }
  if (open.includes("rotate")) {
    update.policy = files.some(({ rotate }) => rotate) ? "round_robin" : UNSAID.policy;
  }
  return update;
}

/** The server of a `nameserver` line. */
export function fileServer(address: string): ServerAddress {
  return { address, port: TRANSPORT_PORTS.dns, transport: "dns", serverName: "" };
}

function first(
  files: readonly ResolvConf[],
  value: (file: ResolvConf) => number | null,
): number | null {
  return files.map(value).find((found) => found !== null) ?? null;
}
