import type { LogLevel } from "../engine/handler.ts";

const COUNT_FILE = "/proc/sys/net/netfilter/nf_conntrack_count";
const MAX_FILE = "/proc/sys/net/netfilter/nf_conntrack_max";

/** Shares of the table at which a warning begins and ends. */
const FULL = 0.95;
const FREE = 0.9;

/** What a `ConntrackWatch` needs. */
export interface ConntrackOptions {
  /** Text of a kernel file; throws if it cannot be read. */
  readonly read: (path: string) => string;
  readonly log: (level: LogLevel, line: string) => void;
}

/**
 * Warns when the kernel's connection table is nearly full. Queries to the addresses of nodens are not
 * tracked, so cache hits are still served; the kernel drops the node's other new connections, also
 * those of nodens to its upstreams.
 */
export class ConntrackWatch {
  readonly #options: ConntrackOptions;
  #isFull = false;

  constructor(options: ConntrackOptions) {
    this.#options = options;
  }

  /** Checks once; a table that stays full is reported once. */
  look(): void {
    const { read, log } = this.#options;
    let count: number;
    let max: number;
    try {
      count = readCount(read(COUNT_FILE));
      max = readCount(read(MAX_FILE));
    } catch {
      // Without connection tracking there is no table.
      return;
    }
    // 0 means no limit; comparisons with NaN are false.
    if (!(max > 0 && count >= 0)) return;
    if (!this.#isFull && count >= FULL * max) {
      this.#isFull = true;
      log(
        "warning",
        `conntrack: the table of this node is nearly full (${COUNT_FILE}: ${count} of ${max}): cached` +
          " answers are served, but the kernel may drop queries to upstreams; raise" +
          " net.netfilter.nf_conntrack_max on the node",
      );
    } else if (this.#isFull && count < FREE * max) {
      this.#isFull = false;
      log("info", `conntrack: the table of this node has room again (${count} of ${max})`);
    }
  }
}

function readCount(text: string): number {
  return /^\d+\s*$/.test(text) ? Number(text) : NaN;
}
