import type { LaneEndpoint } from "../../../io/lane_link.ts";

/** How long a server that was refused is left alone: at first, and at most. */
const PAUSE_MS = { first: 1000, most: 10_000 } as const;
/** How often the files are looked at meanwhile. */
const CHECK_MS = 250;
/** Servers that are kept in mind; a configuration has some dozens. */
const MAX_SERVERS = 1024;

interface Refusal {
  readonly why: string;
  /** State of the certificates on this side. */
  readonly version: string;
  readonly untilMs: number;
  readonly pauseMs: number;
  /** When the certificates on this side were last seen to be the same. */
  checkedMs: number;
}

/**
 * Servers that cannot be used for a reason that does not go by itself: a certificate that does not fit,
 * another protocol, floods. They are left alone for a while, instead of being connected to for each
 * query, unless the files of certificates on this side have changed.
 */
export class Refusals {
  readonly #nowMs: () => number;
  readonly #refusals = new Map<string, Refusal>();

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** Why a server is left alone, where the files need not be looked at to say so; else null. */
  recent(endpoint: LaneEndpoint): string | null {
    if (this.#refusals.size === 0) return null;
    const refusal = this.#refusals.get(keyOf(endpoint));
    if (refusal === undefined) return null;
    const nowMs = this.#nowMs();
    const fresh = nowMs < Math.min(refusal.untilMs, refusal.checkedMs + CHECK_MS);
    return fresh ? refusal.why : null;
  }

  /** Why a server is left alone, or null if it may be tried. */
  reason(endpoint: LaneEndpoint, version: string): string | null {
    if (this.#refusals.size === 0) return null;
    const refusal = this.#refusals.get(keyOf(endpoint));
    if (refusal === undefined || refusal.version !== version) return null;
    const nowMs = this.#nowMs();
    refusal.checkedMs = nowMs;
    return nowMs < refusal.untilMs ? refusal.why : null;
  }

  /** A server was refused, or has refused the client's certificate. */
  add(endpoint: LaneEndpoint, version: string, why: string): void {
    const key = keyOf(endpoint);
    const before = this.#refusals.get(key);
    const nowMs = this.#nowMs();
    const again = before !== undefined && before.version === version;
    // Connections that were begun at the same time fail together: once counts.
    if (again && nowMs < before.untilMs) return;
    const pauseMs = again ? Math.min(2 * before.pauseMs, PAUSE_MS.most) : PAUSE_MS.first;
    this.#refusals.delete(key);
    this.#refusals.set(key, { why, version, untilMs: nowMs + pauseMs, pauseMs, checkedMs: nowMs });
    if (this.#refusals.size > MAX_SERVERS) {
      this.#refusals.delete(this.#refusals.keys().next().value!);
    }
  }

  /** A server works. */
  clear(endpoint: LaneEndpoint): void {
    if (this.#refusals.size > 0) this.#refusals.delete(keyOf(endpoint));
  }
}

function keyOf(endpoint: LaneEndpoint): string {
  return JSON.stringify(endpoint);
}
