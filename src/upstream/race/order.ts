import { RANK } from "../outcome.ts";
import type { Policy } from "../options.ts";

/** As good as the fastest. */
const BAND = { ms: 2, share: 0.3 } as const;
const STALE_MS = 2000;

/** Ordering state of a server. */
export interface OrderedServer {
  readonly rank: number;
  readonly roundTrip: { readonly meanMs: number; readonly sampledMs: number };
  readonly health: { readonly share: number; measure(): void };
}

/** Order in which a query tries servers. */
export class ServerOrder {
  readonly #policy: Policy;
  readonly #servers: readonly OrderedServer[];
  readonly #random: () => number;
  #previous = 0;

  constructor(policy: Policy, servers: readonly OrderedServer[], random: () => number) {
    this.#policy = policy;
    this.#servers = servers;
    this.#random = random;
  }

  first(nowMs: number): number {
    const count = this.#servers.length;
    if (count <= 1) return 0;
    switch (this.#policy) {
      case "sequential":
        return 0;
      case "random":
        return this.#random() % count;
      case "round_robin":
        return this.#previous = (this.#previous + 1) % count;
      case "fastest":
        return this.#fastest(nowMs);
    }
  }

  /** Best-ranked from `start`; -1 if none is up to `worst`. Recovering servers cede queries. */
  next(start: number, except: readonly OrderedServer[], worst: number): number {
    const count = this.#servers.length;
    let best = -1;
    let bestRank = worst + 1;
    for (let i = 0; i < count && bestRank > RANK.WELL; i++) {
      const index = (start + i) % count;
      const server = this.#servers[index]!;
      if (except.includes(server)) continue;
      let { rank } = server;
      if (rank === RANK.WELL && this.#isRecovering(server)) rank = 0.5;
      if (rank < bestRank) {
        best = index;
        bestRank = rank;
      }
    }
    return best;
  }

  /** Candidates for the next query; empty if it may try none. */
  mayBeFirst(): number[] {
    const servers = this.#servers;
    const count = servers.length;
    const best = Math.min(...servers.map(({ rank }) => rank));
    if (count === 0 || best > RANK.DOWN) return [];
    const all = servers.flatMap(({ rank }, i) => rank === best ? [i] : []);
    // If all are down, a random one is tried.
    if (best === RANK.DOWN) return all;
    switch (this.#policy) {
      case "random":
        return all;
      case "sequential":
        return all.slice(0, 1);
      case "round_robin": {
        const start = (this.#previous + 1) % count;
        return [all.find((index) => index >= start) ?? all[0]!];
      }
      case "fastest": {
        const limitMs = this.#limitMs();
        const near = all.filter((index) => servers[index]!.roundTrip.meanMs <= limitMs);
        return best === RANK.WELL ? near : all.slice(0, 1);
      }
    }
  }

  #isRecovering({ health: { share } }: OrderedServer): boolean {
    return share < 1 && this.#random() / 2 ** 32 >= share;
  }

  /** Of the slowest that counts as fastest. */
  #limitMs(): number {
    let bestMs = Infinity;
    for (const { rank, roundTrip } of this.#servers) {
      if (rank === RANK.WELL && roundTrip.meanMs < bestMs) bestMs = roundTrip.meanMs;
    }
    return bestMs + Math.max(BAND.ms, BAND.share * bestMs);
  }

  #fastest(nowMs: number): number {
    for (const { roundTrip, health } of this.#servers) {
      if (nowMs - roundTrip.sampledMs > STALE_MS) health.measure();
    }
    const limitMs = this.#limitMs();
    let chosen = 0;
    let seen = 0;
    this.#servers.forEach(({ rank, roundTrip }, i) => {
      if (rank !== RANK.WELL || roundTrip.meanMs > limitMs) return;
      if (this.#random() % ++seen === 0) chosen = i;
    });
    return chosen;
  }
}
