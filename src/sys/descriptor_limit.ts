import { F, RLIMIT_NOFILE } from "./constants.ts";
import type { Libc } from "./libc.ts";

/**
 * Grows the kernel's descriptor table to `count`, at most the limit of open files. Later growth
 * (`expand_fdtable` in fs/file.c) would stall the data plane for 8 to 16 ms.
 */
export async function reserveDescriptors(libc: Libc, count: number): Promise<void> {
  const fd = libc.eventfd(0, 0);
  if (fd < 0) return;
  const highest = await libc.fcntlAsync(fd, F.DUPFD_CLOEXEC, count - 1);
  if (highest >= 0) libc.close(highest);
  libc.close(fd);
}

/** Raises the soft limit; returns it (Infinity if unknown). */
export function raiseFileLimit(libc: Libc): number {
  const limits = new BigUint64Array(2);
  const bytes = new Uint8Array(limits.buffer);
  if (libc.getrlimit(RLIMIT_NOFILE, bytes) < 0) return Infinity;
  const [soft, hard] = [limits[0]!, limits[1]!];
  if (soft >= hard) return Number(soft);
  limits[0] = hard;
  return Number(libc.setrlimit(RLIMIT_NOFILE, bytes) < 0 ? soft : hard);
}
