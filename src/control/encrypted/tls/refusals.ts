import type { Clock } from "../../../base/clock.ts";
import type { LaneEndpoint } from "../../../io/lane_link.ts";

const PAUSE_MS = { first: 1000, most: 10_000 } as const;
const CHECK_MS = 250;
/** A configuration has some dozens. */
const MAX_SERVERS = 1024;

interface Refusal {
  readonly why: string;
  readonly version: string;
  readonly untilMs: number;
  readonly pauseMs: number;
  checkedMs: number;
}

/** Servers avoided after lasting failures. */
export class Refusals {
  readonly #clock: Clock;
  readonly #refusals = new Map<string, Refusal>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Reason, or null. Omit `version` if certificates were just checked. */
  reason(endpoint: LaneEndpoint, version?: string): string | null {
    const refusal = this.#refusals.get(keyOf(endpoint));
    if (refusal === undefined) return null;
    const nowMs = this.#clock.now();
    if (version === undefined) {
      if (nowMs >= refusal.checkedMs + CHECK_MS) return null;
    } else {
      if (version !== refusal.version) return null;
      refusal.checkedMs = nowMs;
    }
    return nowMs < refusal.untilMs ? refusal.why : null;
  }

  add(endpoint: LaneEndpoint, version: string, why: string): void {
    const key = keyOf(endpoint);
    const before = this.#refusals.get(key);
    const nowMs = this.#clock.now();
    const again = before?.version === version;
    // Concurrent failures count once.
    if (again && nowMs < before.untilMs) return;
    const pauseMs = again ? Math.min(2 * before.pauseMs, PAUSE_MS.most) : PAUSE_MS.first;
    this.#refusals.delete(key);
    this.#refusals.set(key, { why, version, untilMs: nowMs + pauseMs, pauseMs, checkedMs: nowMs });
    if (this.#refusals.size > MAX_SERVERS) {
      this.#refusals.delete(this.#refusals.keys().next().value!);
    }
  }

  clear(endpoint: LaneEndpoint): void {
    this.#refusals.delete(keyOf(endpoint));
  }
}

function keyOf(endpoint: LaneEndpoint): string {
  return JSON.stringify(endpoint);
}
