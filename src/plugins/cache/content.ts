import { StoreClock } from "./store/clock.ts";
import { MemoryLimit } from "./store/memory_limit.ts";
import type { CacheOptions } from "./options.ts";
import { Store } from "./store/store.ts";

/** An expired failure is remembered for this many times as long as it was kept. */
export const FAILURE_MEMORY = 2;
/** Room for failures, as a share of that for denials. */
const FAILURES_SHARE = 1 / 4;

/** What a cache has stored. A reload hands it on to the next handler, if the options allow that. */
export class CacheContent {
  readonly memory: MemoryLimit;
  readonly success: Store;
  readonly denial: Store;
  /** Failures of servers and of asking them (RFC 9520): never in place of an answer. */
  readonly failures: Store;
  readonly #clock: StoreClock;

  /** @param ecs - client subnets count */
  constructor(options: CacheOptions, ecs: boolean, nowMs: number) {
    const memory = this.memory = new MemoryLimit(options.capacityBytes ?? Infinity);
    const graceSeconds = Math.ceil((options.serveStale?.durationMs ?? 0) / 1000);
    const subnets = ecs ? "scope" : "none";
    this.success = new Store(options.success.capacity, { graceSeconds, subnets, memory });
    this.denial = new Store(options.denial.capacity, { graceSeconds, subnets, memory });
    this.failures = new Store(Math.ceil(options.denial.capacity * FAILURES_SHARE), {
      graceSeconds: FAILURE_MEMORY * Math.floor(options.servfailMs / 1000),
      subnets: ecs ? "exact" : "none",
      memory,
    });
    this.#clock = new StoreClock(nowMs, [this.success, this.denial, this.failures]);
  }

  /** The time on the stores' clock, in tenths of a second. */
  now(nowMs: number): number {
    return this.#clock.read(nowMs);
  }
}
