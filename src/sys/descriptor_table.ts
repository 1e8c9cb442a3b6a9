import { F } from "./constants.ts";
import type { Libc } from "./libc.ts";

/**
 * Makes the kernel's table of this process's descriptors large enough for `count`.
 *
 * Otherwise the table doubles as needed, and whoever opens the next descriptor then waits until no
 * CPU reads the old table (`expand_fdtable` in the kernel's fs/file.c): the data plane would lose 8 to
 * 16 ms amid a crowd of connections. Here a runtime thread waits.
 *
 * @param count - at most the limit of open files; the table takes some nine octets for each
 */
export async function reserveDescriptors(libc: Libc, count: number): Promise<void> {
  const fd = libc.eventfd(0, 0);
  if (fd < 0) return;
  const highest = await libc.fcntlAsync(fd, F.DUPFD_CLOEXEC, count - 1);
  if (highest >= 0) libc.close(highest);
  libc.close(fd);
}
