/** Division of the process's file descriptors (RLIMIT_NOFILE). */

/** Enough for every part. */
export const MIN_FILES = 256;

/** Clients' connections get the rest. */
export const FILE_SHARES = {
  /** Runtime and data plane 36, probes 16, closing TLS 6, files 6. */
  process: { of: 0, min: 64, max: 64 },
  http: { of: 1 / 8, min: 32, max: 256 },
  /** `max_conns` bounds each upstream. */
  encryptedStreams: { of: 1 / 16, min: 16, max: 1024 },
  upstreamStreams: { of: 1 / 16, min: 16, max: 1024 },
  upstreamSockets: { of: 1 / 3, min: 80, max: 8192 },
  /** Up to 200 KB each. */
  clientStreams: { of: 1, min: 8, max: 4096 },
} as const satisfies Record<string, { of: number; min: number; max: number }>;

/** Per additional data plane: epoll, eventfd, its thread. */
const PLANE_FILES = 8;

/** `http` in total, others per data plane. */
export type FileShares = Record<
  "limit" | "total" | Exclude<keyof typeof FILE_SHARES, "process">,
  number
>;

/** `limit` may be Infinity. Below `MIN_FILES`, parts shrink. */
export function shareFiles(
  limit: number,
  { planes = 1, listeners = 0 }: { planes?: number; listeners?: number } = {},
): FileShares {
  const scale = Math.min(1, limit / MIN_FILES);
  const part = (name: keyof typeof FILE_SHARES) => {
    const { of, min, max } = FILE_SHARES[name];
    if (of === 0) return Math.floor(min * scale);
    return Math.floor(Math.min(max * planes, Math.max(min * scale, limit * of)));
  };
  const each = (name: keyof typeof FILE_SHARES, files = part(name)) =>
    Math.max(1, Math.min(FILE_SHARES[name].max, Math.floor(files / planes)));
  const http = Math.min(FILE_SHARES.http.max, part("http"));
  const taken = part("process") + listeners + PLANE_FILES * (planes - 1) + http +
    part("encryptedStreams") + part("upstreamStreams") + part("upstreamSockets");
  const { min } = FILE_SHARES.clientStreams;
  const clientStreams = each("clientStreams", Math.max(min * scale, limit - taken));
  return {
    ...{ limit, http, clientStreams },
    total: Math.min(limit, taken + planes * clientStreams),
    encryptedStreams: each("encryptedStreams"),
    upstreamStreams: each("upstreamStreams"),
    upstreamSockets: each("upstreamSockets"),
  };
}

/** For the log; null if unrestricted. */
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
