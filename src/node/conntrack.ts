import type { LogLevel } from "../engine/handler.ts";

const COUNT_FILE = "/proc/sys/net/netfilter/nf_conntrack_count";
const MAX_FILE = "/proc/sys/net/netfilter/nf_conntrack_max";

/** Shares at which the warning begins and ends. */
const FULL = 0.95;
const FREE = 0.9;

/** Creates a check that warns once of a nearly full connection table: new flows are dropped. */
export function conntrackCheck(
  { read, log }: { read: (path: string) => string; log: (level: LogLevel, line: string) => void },
): () => void {
  const readCount = (path: string) => {
    try {
      const text = read(path);
      return /^\d+\s*$/.test(text) ? Number(text) : NaN;
    } catch {
      return NaN;
    }
  };
  let isFull = false;
  return () => {
    const [count, max] = [readCount(COUNT_FILE), readCount(MAX_FILE)];
    // 0 means no limit; NaN never matches.
    if (!(max > 0 && count >= 0)) return;
    if (!isFull && count >= FULL * max) {
      isFull = true;
      log(
        "warning",
        `conntrack: the table of this node is nearly full (${COUNT_FILE}: ${count} of ${max}): cached` +
          " answers are served, but the kernel may drop queries to upstreams; raise" +
          " net.netfilter.nf_conntrack_max on the node",
      );
    } else if (isFull && count < FREE * max) {
      isFull = false;
      log("info", `conntrack: the table of this node has room again (${count} of ${max})`);
    }
  };
}
