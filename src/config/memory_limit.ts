import type { HostView } from "./host.ts";
import type { Config } from "./types.ts";

const MI = 2 ** 20;
/** The program without its caches: measured, with a margin. */
const PROGRAM_BYTES = 96 * MI;
/** Share of the rest for each purpose, and the least. */
const SHARES = {
  /** V8 returns memory late. */
  cache: { share: 1 / 2, least: 4 * MI },
  /** Clients' TCP connections; the least is for some hundred slow readers. */
  streams: { share: 1 / 8, least: 16 * MI },
  /** Tables of hosts files; a new table exists beside the old one. */
  hosts: { share: 3 / 8, least: 4 * MI },
  /** Data in transit over TLS; the least is for two hundred long answers. */
  tls: { share: 1 / 8, least: 12 * MI },
} as const;
/** Share of the limit that buffers may allocate before garbage is collected: 12 MiB of 192. */
const GARBAGE_SHARE = 1 / 16;
/** Version 1 of control groups writes the highest number of pages for no limit. */
const NO_LIMIT = 2 ** 60;

/**
 * Memory limit of the process in bytes, from its control group and those above it (cgroups(7)); null
 * if there is none, or none can be read.
 */
export function readMemoryLimit(host: HostView): number | null {
  let limit = Infinity;
  for (const line of read(host, "/proc/self/cgroup").split("\n")) {
    const [, controllers, path] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? [];
    if (controllers === undefined || path === undefined) continue;
    if (controllers === "") {
      limit = Math.min(limit, lowestLimit(host, "/sys/fs/cgroup", path, "memory.max"));
    } else if (controllers.split(",").includes("memory")) {
      const file = "memory.limit_in_bytes";
      limit = Math.min(limit, lowestLimit(host, "/sys/fs/cgroup/memory", path, file));
    }
  }
  return limit === Infinity ? null : limit;
}

/** Bytes for each of `caches` caches. */
export function shareOf(limit: number, caches: number): number {
  return Math.floor(bytesFor("cache", limit) / caches);
}

/** Bytes for clients' TCP connections. */
export function streamShareOf(limit: number): number {
  return Math.floor(bytesFor("streams", limit));
}

/** Bytes for the tables of all hosts files. */
export function hostsTableShareOf(limit: number): number {
  return Math.floor(bytesFor("hosts", limit) / 2);
}

/** The memory limit at which these tables of hosts files would fit. */
export function hostsLimitFor(tableBytes: number): number {
  return PROGRAM_BYTES + Math.ceil(2 * tableBytes / SHARES.hosts.share);
}

/** Bytes of garbage that the buffers of each thread may become. */
export function garbageShareOf(limit: number): number {
  return Math.floor(limit * GARBAGE_SHARE);
}

/** Bytes in transit over TLS. */
export function tlsShareOf(limit: number): number {
  return Math.floor(bytesFor("tls", limit));
}

/** Sets the limits of the configuration that follow from the memory limit. */
export function limitMemory(config: Config, host: HostView): void {
  const limit = readMemoryLimit(host);
  if (limit === null) return;
  config.memoryBytes = limit;
  config.streamBytes = streamShareOf(limit);
  config.garbageBytes = garbageShareOf(limit);
  config.tlsBytes = tlsShareOf(limit);
}

function bytesFor(purpose: keyof typeof SHARES, limit: number): number {
  const { share, least } = SHARES[purpose];
  return Math.max(least, (limit - PROGRAM_BYTES) * share);
}

/** The lowest limit of a group and those above it. */
function lowestLimit(host: HostView, root: string, path: string, file: string): number {
  let limit = Infinity;
  // A path outside of this namespace (`/../…`) cannot be followed; only the root can be read.
  const names = path.split("/").filter((name) => name !== "");
  for (let depth = names.includes("..") ? 0 : names.length; depth >= 0; depth--) {
    const folder = [root, ...names.slice(0, depth)].join("/");
    const text = read(host, `${folder}/${file}`).trim();
    const value = /^[0-9]{1,19}$/.test(text) ? Number(text) : Infinity;
    if (value < NO_LIMIT) limit = Math.min(limit, value);
  }
  return limit;
}

/** The text of a file; empty if it cannot be read, as on other systems. */
function read(host: HostView, path: string): string {
  try {
    return host.readTextFile(path);
  } catch {
    return "";
  }
}
