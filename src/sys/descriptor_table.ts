import { F } from "./constants.ts";
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
