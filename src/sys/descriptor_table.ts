import { F } from "./constants.ts";
import type { Libc } from "./libc.ts";

/**
 * Has the kernel make its table of this process's descriptors large enough for so many.
 *
 * By itself the table grows in steps of two, and at each step whoever opens the next descriptor waits
 * until no CPU reads the old table (`expand_fdtable` in the kernel's fs/file.c): 8 to 16 ms that the
 * data plane would spend amid a crowd of connections. This wait is a runtime thread's.
 *
 * @param count - no higher than the limit of open files; the table takes some nine octets for each
 */
export async function reserveDescriptors(libc: Libc, count: number): Promise<void> {
  const fd = libc.eventfd(0, 0);
  if (fd < 0) return;
  const { symbols: { fcntl } } = Deno.dlopen("libc.so.6", {
    fcntl: { parameters: ["i32", "i32", "i32"], result: "i32", nonblocking: true },
  });
  const highest = await fcntl(fd, F.DUPFD_CLOEXEC, count - 1);
  if (highest >= 0) libc.close(highest);
  libc.close(fd);
}
