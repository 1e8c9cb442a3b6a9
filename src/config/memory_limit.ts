import type { HostView } from "./host.ts";
import type { Config } from "./types.ts";

const MI = 2 ** 20;
/** Without caches: measured, with a margin. */
const PROGRAM_BYTES = 96 * MI;
/** Shares of the rest, and minimums. */
const SHARES = {
  /** V8 returns memory late. */
  caches: { share: 1 / 2, least: 4 * MI },
  /** Minimum: a few hundred slow readers. */
  streams: { share: 1 / 8, least: 16 * MI },
  /** During a reload, two tables exist. */
  hosts: { share: 3 / 8, least: 4 * MI },
  /** Minimum: two hundred long answers. */
  tls: { share: 1 / 8, least: 12 * MI },
  /** Maps of hits in the kernel; taken from all others. Minimum: a thousand answers. */
  kernel: { share: 1 / 16, least: MI / 2 },
} as const;
/** Uncollected buffers: 12 MiB of 192. */
const GARBAGE_SHARE = 1 / 16;
/** "Unlimited" in cgroups v1. */
const NO_LIMIT = 2 ** 60;

/** Memory limit in bytes (cgroups(7)), or null. */
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

/** Bytes for one purpose under this memory limit. */
export function memoryShare(purpose: keyof typeof SHARES, limit: number): number {
  const { share, least } = SHARES[purpose];
  return Math.floor(Math.max(least, (limit - PROGRAM_BYTES) * share));
}

/** Bytes for each cache. */
export function cacheShareOf(limit: number, caches: number): number {
  return Math.floor(memoryShare("caches", limit) / caches);
}

/** Bytes for all hosts files. */
export function hostsShareOf(limit: number): number {
  return Math.floor(memoryShare("hosts", limit) / 2);
}

/** Memory limit needed for these tables. */
export function hostsLimitFor(tableBytes: number): number {
  return PROGRAM_BYTES + Math.ceil(2 * tableBytes / SHARES.hosts.share);
}

/** Sets limits derived from the memory limit. `kernelHits`: the kernel has a share. */
export function limitMemory(config: Config, host: HostView, kernelHits = false): void {
  const whole = readMemoryLimit(host);
  if (whole === null) return;
  if (kernelHits) config.kernelBytes = memoryShare("kernel", whole);
  const limit = whole - (config.kernelBytes ?? 0);
  config.memoryBytes = limit;
  config.streamBytes = memoryShare("streams", limit);
  config.garbageBytes = Math.floor(limit * GARBAGE_SHARE);
  config.tlsBytes = memoryShare("tls", limit);
}

function lowestLimit(host: HostView, root: string, path: string, file: string): number {
  let limit = Infinity;
  // Outside this namespace (`/../…`), only the root is readable.
  const names = path.split("/").filter((name) => name !== "");
  for (let depth = names.includes("..") ? 0 : names.length; depth >= 0; depth--) {
    const folder = [root, ...names.slice(0, depth)].join("/");
    const text = read(host, `${folder}/${file}`).trim();
    const value = /^[0-9]{1,19}$/.test(text) ? Number(text) : Infinity;
    if (value < NO_LIMIT) limit = Math.min(limit, value);
  }
  return limit;
}

function read(host: HostView, path: string): string {
  try {
    return host.readTextFile(path);
  } catch {
    return "";
  }
}
