import type { Policy } from "../options.ts";

/** Servers within this of the fastest one count as equally fast: milliseconds, and a share. */
const BAND = { ms: 2, share: 0.3 } as const;
/** A server whose time is older than this is measured again while queries come. */
const STALE_MS = 2000;

/** What the order needs to know of a server. */
export interface Candidate {
  /** One of `RANK`. */
  readonly rank: number;
  readonly roundTrip: { readonly meanMs: number; readonly sampledMs: number };
  readonly health: { readonly share: number; measure(): void };
}

/** Puts servers in the order in which one query tries them. */
export class ServerOrder {
  readonly #policy: Policy;
  readonly #servers: readonly Candidate[];
  readonly #random: () => number;
  #turn = 0;

  constructor(policy: Policy, servers: readonly Candidate[], random: () => number) {
    this.#policy = policy;
    this.#servers = servers;
    this.#random = random;
  }

  /** Index of the server to start with; the others follow in turn. */
  first(nowMs: number): number {
    const count = this.#servers.length;
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
   * Index of the server for the next attempt: of the best rank (well, suspect, down), from `start`
   * on. One that has just come back leaves part of its queries to others that are well.
   *
   * @param except - servers to leave out
   * @param worst - highest rank that will do
   * @returns -1 where there is none
   */
  next(start: number, except: readonly Candidate[], worst: number): number {
    const servers = this.#servers;
    const count = servers.length;
    let best = -1;
    let bestRank = worst + 1;
    for (let i = 0; i < count; i++) {
      const index = (start + i) % count;
      const server = servers[index]!;
      if (except.includes(server)) continue;
      let { rank } = server;
      // Half a rank behind: taken only where none is quite well.
      if (rank === 0 && this.#leavesOut(server)) rank = 0.5;
      if (rank < bestRank) {
        best = index;
        bestRank = rank;
        if (rank === 0) break;
      }
    }
    return best;
  }

  #leavesOut(server: Candidate): boolean {
    const { share } = server.health;
    return share < 1 && this.#random() / 2 ** 32 >= share;
  }

  /** One by chance of those about as fast as the fastest that is well. */
  #fastest(nowMs: number): number {
    const servers = this.#servers;
    let bestMs = Infinity;
    for (const { rank, roundTrip, health } of servers) {
      if (nowMs - roundTrip.sampledMs > STALE_MS) health.measure();
      if (rank === 0 && roundTrip.meanMs < bestMs) bestMs = roundTrip.meanMs;
    }
    const limitMs = bestMs + Math.max(BAND.ms, BAND.share * bestMs);
    let chosen = 0;
    let seen = 0;
    for (let i = 0; i < servers.length; i++) {
      const { rank, roundTrip } = servers[i]!;
      if (rank !== 0 || roundTrip.meanMs > limitMs) continue;
      seen++;
      if (this.#random() % seen === 0) chosen = i;
    }
    return chosen;
  }
}
