import type { ForwardPolicy } from "./options.ts";
import type { Upstream } from "./upstream.ts";

/** Upstreams within this of the fastest one count as equally fast: milliseconds, and a share. */
const BAND = { ms: 2, share: 0.3 } as const;
/** An upstream whose time is older than this is measured again while queries come. */
const STALE_MS = 2000;
/** How often a question goes to one upstream (RFC 9520 section 3.1). */
const MAX_SENT = 3;

/** Puts upstreams in the order in which one query tries them. */
export class UpstreamOrder {
  readonly #policy: ForwardPolicy;
  readonly #upstreams: readonly Upstream[];
  readonly #random: () => number;
  #turn = 0;

  constructor(policy: ForwardPolicy, upstreams: readonly Upstream[], random: () => number) {
    this.#policy = policy;
    this.#upstreams = upstreams;
    this.#random = random;
  }

  /** Index of the upstream to start with; the others follow in turn. */
  first(nowMs: number): number {
    const count = this.#upstreams.length;
    if (count <= 1) return 0;
    switch (this.#policy) {
      case "sequential":
        return 0;
      case "random":
        return this.#random() % count;
      case "round_robin":
        this.#turn = (this.#turn + 1) % count;
        return this.#turn;
      case "fastest":
        return this.#fastest(nowMs);
    }
  }

  /**
   * Index of the upstream for the next attempt: of the best rank (well, suspect, down), from `start`
   * on. One that has just come back leaves part of its queries to others that are well.
   *
   * @param except - an upstream to leave out, or null
   * @param worst - highest rank that will do
   * @returns -1 where there is none
   */
  next(start: number, except: Upstream | null, worst: number): number {
    const upstreams = this.#upstreams;
    const count = upstreams.length;
    let best = -1;
    let bestRank = worst + 1;
    for (let i = 0; i < count; i++) {
      const index = (start + i) % count;
      const upstream = upstreams[index]!;
      if (upstream === except) continue;
      let { rank } = upstream;
      // Half a rank behind: taken only where none is quite well.
      if (rank === 0 && this.#leavesOut(upstream)) rank = 0.5;
      if (rank < bestRank) {
        best = index;
        bestRank = rank;
        if (rank === 0) break;
      }
    }
    return best;
  }

  /**
   * Index of the upstream at `start`, or of the next one that a question has not been sent to too
   * often; -1 for none.
   *
   * @param sentTo - the upstreams that it went to, one for each packet
   */
  unspent(start: number, sentTo: readonly Upstream[]): number {
    const upstreams = this.#upstreams;
    for (let i = 0; start >= 0 && i < upstreams.length; i++) {
      const index = (start + i) % upstreams.length;
      let sent = 0;
      for (const upstream of sentTo) if (upstream === upstreams[index]) sent++;
      if (sent < MAX_SENT) return index;
    }
    return -1;
  }

  #leavesOut(upstream: Upstream): boolean {
    const { share } = upstream.health;
    return share < 1 && this.#random() / 2 ** 32 >= share;
  }

  /** One by chance of those about as fast as the fastest that is well. */
  #fastest(nowMs: number): number {
    const upstreams = this.#upstreams;
    let bestMs = Infinity;
    for (const { rank, roundTrip, health } of upstreams) {
      if (nowMs - roundTrip.sampledMs > STALE_MS) health.measure();
      if (rank === 0 && roundTrip.meanMs < bestMs) bestMs = roundTrip.meanMs;
    }
    const limitMs = bestMs + Math.max(BAND.ms, BAND.share * bestMs);
    let chosen = 0;
    let seen = 0;
    for (let i = 0; i < upstreams.length; i++) {
      const { rank, roundTrip } = upstreams[i]!;
      if (rank !== 0 || roundTrip.meanMs > limitMs) continue;
      seen++;
      if (this.#random() % seen === 0) chosen = i;
    }
    return chosen;
  }
}
