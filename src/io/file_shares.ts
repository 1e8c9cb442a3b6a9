/**
 * How the process shares out the file descriptors that it may open (RLIMIT_NOFILE), so that nobody
 * takes what another part needs: clients that hoard connections neither keep queries from upstreams
 * nor probes from an answer.
 */

/** Smallest limit at which every part has what it needs. */
export const LEAST_FILES = 256;

interface Share {
  /** Part of the limit. */
  of: number;
  min: number;
  max: number;
}

/** The parts of the limit; clients' connections have the rest. */
export const FILE_SHARES = {
  /**
   * The runtime, standard streams and one data plane hold 36 at rest; 16 are for the probes of
   * `health`, 6 for TLS connections that say goodbye or find out why a certificate was refused, and
   * the others for files that are read or written for a moment.
   */
  process: { of: 0, min: 64, max: 64 },
  /** HTTP connections: four addresses with 64 each. */
  http: { of: 1 / 8, min: 32, max: 256 },
  /** TLS and HTTPS connections to upstreams; `max_conns` bounds those to each. */
  encryptedStreams: { of: 1 / 16, min: 16, max: 1024 },
  /** The same for TCP. */
  upstreamStreams: { of: 1 / 16, min: 16, max: 1024 },
  /** UDP sockets towards upstreams, of which each carries one query at a time. */
  upstreamSockets: { of: 1 / 3, min: 80, max: 8192 },
  /** Each takes up to 200 KB. */
  clientStreams: { of: 1, min: 8, max: 4096 },
} as const satisfies Record<string, Share>;

/** Descriptors that a data plane beyond the first takes for itself (epoll, eventfd, its thread). */
const PLANE_FILES = 8;

/** What the parts may have open: `http` in all, the others in each data plane. */
export interface FileShares {
  /** Descriptors to share out; Infinity without a limit. */
  limit: number;
  /** What all parts may have open together, over all data planes. */
  total: number;
  http: number;
  encryptedStreams: number;
  upstreamStreams: number;
  upstreamSockets: number;
  clientStreams: number;
}

/**
 * Shares out `limit` descriptors. Below `LEAST_FILES` the parts shrink in proportion.
 *
 * @param listeners - sockets that queries come to, over all data planes
 */
export function shareFiles(
  limit: number,
  { planes = 1, listeners = 0 }: { planes?: number; listeners?: number } = {},
): FileShares {
  const scale = Math.min(1, limit / LEAST_FILES);
  const part = ({ of, min, max }: Share) =>
    Math.floor(of === 0 ? min * scale : Math.min(max * planes, Math.max(min * scale, limit * of)));
  const each = (files: number, { max }: Share) =>
    Math.max(1, Math.min(max, Math.floor(files / planes)));
  const { process, clientStreams, ...others } = FILE_SHARES;
  const http = Math.min(FILE_SHARES.http.max, part(others.http));
  const encryptedStreams = part(others.encryptedStreams);
  const upstreamStreams = part(others.upstreamStreams);
  const upstreamSockets = part(others.upstreamSockets);
  const taken = part(process) + listeners + PLANE_FILES * (planes - 1) + http + encryptedStreams +
    upstreamStreams + upstreamSockets;
  const rest = Math.max(clientStreams.min * scale, limit - taken);
  const streams = each(rest, clientStreams);
  return {
    limit,
    total: Math.min(limit, taken + planes * streams),
    http,
    encryptedStreams: each(encryptedStreams, others.encryptedStreams),
    upstreamStreams: each(upstreamStreams, others.upstreamStreams),
    upstreamSockets: each(upstreamSockets, others.upstreamSockets),
    clientStreams: streams,
  };
}

/** What the log says of the shares where the limit keeps some part small; null where it does not. */
export function describeShares(shares: FileShares): string | null {
  const { limit, http, encryptedStreams, upstreamStreams, upstreamSockets, clientStreams } = shares;
  const ample = clientStreams === FILE_SHARES.clientStreams.max &&
    upstreamSockets === FILE_SHARES.upstreamSockets.max;
  if (ample) return null;
  return `${limit} file descriptors at most (ulimit -n, LimitNOFILE=), so that there may be ` +
    `${clientStreams} TCP connections of clients, ${upstreamSockets} UDP sockets and ` +
    `${upstreamStreams} TCP and ${encryptedStreams} TLS connections to upstreams, and ` +
    `${http} HTTP connections`;
}
