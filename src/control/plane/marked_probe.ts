import { nextPause } from "../../io/probe_socket.ts";
import { openLinuxProbe } from "../../io/linux/probe_socket.ts";
import type { Libc } from "../../sys/libc.ts";
import type { QueryTarget } from "../../follow/dns_client.ts";

/**
 * Asks a listener of nodens whether it answers, from a socket with a mark. Throws if sockets cannot
 * be marked, which needs the capability NET_ADMIN.
 */
export async function askMarked(
  libc: Libc,
  target: QueryTarget,
  { mark, timeoutMs }: { mark: number; timeoutMs: number },
): Promise<boolean> {
  const probe = openLinuxProbe(libc, { ...target, mark });
  if (probe === null) return false;
  try {
    const deadlineMs = performance.now() + timeoutMs;
    for (let pauseMs = nextPause(0);; pauseMs = nextPause(pauseMs)) {
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
      if (probe.answered()) return true;
      if (performance.now() >= deadlineMs) return false;
    }
  } finally {
    probe.close();
  }
}
