import type { HostView } from "./host.ts";
import type { Config } from "./types.ts";

/** What the program itself takes beside its caches: measured, with room to spare. */
const PROGRAM_BYTES = 96 * 2 ** 20;
/** Share of the rest that caches may take: their memory is given back with some delay. */
const CACHE_SHARE = 0.5;
const LEAST_BYTES = 4 * 2 ** 20;
/** Share of it that clients' TCP connections may take, and the least: some hundred slow readers. */
const STREAM_SHARE = 0.125;
const LEAST_STREAM_BYTES = 16 * 2 ** 20;
/**
 * Share of it that the tables of hosts files may take: what the caches and the connections leave.
 * While a new table takes an old one's place, both are there.
 */
const HOSTS_SHARE = 0.375;
/** Share of the limit that buffers may allocate before garbage is collected: 12 MiB of 192. */
const GARBAGE_SHARE = 1 / 16;
/** Share of it that what is under way over TLS may take, and the least: two hundred long answers. */
const TLS_SHARE = 0.125;
const LEAST_TLS_BYTES = 12 * 2 ** 20;
/** Version 1 writes the highest number of pages for no limit. */
const NO_LIMIT = 2 ** 60;

/**
 * Memory that the process may take, by its control group or one that it lies in (cgroups(7)), in
 * bytes; null if there is no limit, or none that can be read.
 */
export function readMemoryLimit(host: HostView): number | null {
  let limit = Infinity;
  for (const line of read(host, "/proc/self/cgroup").split("\n")) {
    const [, controllers, path] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? [];
    if (controllers === undefined || path === undefined) continue;
    if (controllers === "") {
      limit = Math.min(limit, lowest(host, "/sys/fs/cgroup", path, "memory.max"));
    } else if (controllers.split(",").includes("memory")) {
      const file = "memory.limit_in_bytes";
      limit = Math.min(limit, lowest(host, "/sys/fs/cgroup/memory", path, file));
    }
  }
  return limit === Infinity ? null : limit;
}

/** Limit of each of `caches` caches, in bytes, in a process that may take `limit` bytes. */
export function shareOf(limit: number, caches: number): number {
  const share = Math.max(LEAST_BYTES, (limit - PROGRAM_BYTES) * CACHE_SHARE);
  return Math.floor(share / caches);
}

/** Bytes that clients' TCP connections may take in a process that may take `limit` bytes. */
export function streamShareOf(limit: number): number {
  return Math.floor(Math.max(LEAST_STREAM_BYTES, (limit - PROGRAM_BYTES) * STREAM_SHARE));
}

/** Bytes that the tables of all hosts files may take in a process that may take `limit` bytes. */
export function hostsTableShareOf(limit: number): number {
  return Math.floor(Math.max(LEAST_BYTES, (limit - PROGRAM_BYTES) * HOSTS_SHARE) / 2);
}

/** The limit with which these tables of hosts files would have room. */
export function hostsLimitFor(tableBytes: number): number {
  return PROGRAM_BYTES + Math.ceil(2 * tableBytes / HOSTS_SHARE);
}

/** Bytes that each thread's buffers may take as garbage where the process may take `limit` bytes. */
export function garbageShareOf(limit: number): number {
  return Math.floor(limit * GARBAGE_SHARE);
}

/** Bytes that what is under way over TLS may take in a process that may take `limit` bytes. */
export function tlsShareOf(limit: number): number {
  return Math.floor(Math.max(LEAST_TLS_BYTES, (limit - PROGRAM_BYTES) * TLS_SHARE));
}

/** Gives garbage, clients' connections and TLS their share of the memory that the process may take. */
export function limitMemory(config: Config, host: HostView): void {
  const limit = readMemoryLimit(host);
  if (limit === null) return;
  config.memoryBytes = limit;
  config.streamBytes = streamShareOf(limit);
  config.garbageBytes = garbageShareOf(limit);
  config.tlsBytes = tlsShareOf(limit);
}

/** The lowest limit of a group and those that it lies in. */
function lowest(host: HostView, root: string, path: string, file: string): number {
  let limit = Infinity;
  // A path out of this namespace's sight (`/../…`) leads nowhere: only its root can be read.
  const names = path.split("/").filter((name) => name !== "");
  for (let depth = names.includes("..") ? 0 : names.length; depth >= 0; depth--) {
    const folder = [root, ...names.slice(0, depth)].join("/");
    const text = read(host, `${folder}/${file}`).trim();
    if (!/^[0-9]{1,19}$/.test(text)) continue;
    const value = Number(text);
    if (value < NO_LIMIT) limit = Math.min(limit, value);
  }
  return limit;
}

/** Text of a file, empty if it cannot be read: other systems have none. */
function read(host: HostView, path: string): string {
  try {
    return host.readTextFile(path);
  } catch {
    return "";
  }
}
