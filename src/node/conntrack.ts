import type { LogLevel } from "../engine/handler.ts";

const COUNT_FILE = "/proc/sys/net/netfilter/nf_conntrack_count";
const MAX_FILE = "/proc/sys/net/netfilter/nf_conntrack_max";

/** Share of the table that counts as full, and the one below which it does not any more. */
const FULL = 0.95;
const FREE = 0.9;

/** What watching the table needs. */
export interface ConntrackOptions {
  /** Text of a file of the kernel's; throws if it cannot be read. */
  readonly read: (path: string) => string;
  readonly log: (level: LogLevel, line: string) => void;
}

/**
 * Tells when the kernel's table of connections is full, or nearly so. Queries to nodens's own addresses are not
 * tracked, so what is in the cache is served all the same; all other new connections of the node are
 * dropped, those of nodens to its upstreams among them.
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
      // Without connection tracking there is no table; nor is there one if the file is not read.
      return;
    }
    // 0 means no limit; NaN compares with nothing.
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
