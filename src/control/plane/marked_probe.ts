import { type Clock, systemClock } from "../../base/clock.ts";
import type { QueryTarget } from "../../follow/dns_client.ts";
import { openLinuxProbe } from "../../io/linux/probe_socket.ts";
import { nextPause } from "../../io/check_plan.ts";
import type { Libc } from "../../sys/libc.ts";

/** Whether nodens answers marked queries. Throws without NET_ADMIN. */
export async function askMarked(
  libc: Libc,
  target: QueryTarget,
  { mark, timeoutMs, clock = systemClock }: { mark: number; timeoutMs: number; clock?: Clock },
): Promise<boolean> {
  const probe = openLinuxProbe(libc, { ...target, mark });
  if (probe === null) return false;
  try {
    const deadlineMs = clock.now() + timeoutMs;
    for (let pauseMs = nextPause(0);; pauseMs = nextPause(pauseMs)) {
      await clock.sleep(pauseMs);
      if (probe.answered()) return true;
      if (clock.now() >= deadlineMs) return false;
    }
  } finally {
    probe.close();
  }
}
