import { RandomPolicy } from "../policies/random.ts";
import type { Agenda } from "./agenda.ts";
import { OUTCOME, type Outcome, type Query } from "./names.ts";
import { PARAMETERS } from "./parameters.ts";
import type { Servers } from "./servers.ts";
import type { NodeDns } from "./stub.ts";

type Done = (outcome: Outcome) => void;

/** No cache on the node: the cluster DNS gets every query, including outside names. */
export class NoCache implements NodeDns {
  readonly #agenda: Agenda;
  readonly #servers: Servers;

  constructor(agenda: Agenda, servers: Servers) {
    this.#agenda = agenda;
    this.#servers = servers;
  }

  ask(query: Query, _client: number, done: Done): Outcome {
    const latencyMs = this.#servers.askCluster(query);
    if (latencyMs >= 0) this.#agenda.after(latencyMs, () => done(query.outcome));
    return OUTCOME.WAITS;
  }

  stop(): void {}

  start(): void {}
}

interface Caches {
  success: RandomPolicy;
  denial: RandomPolicy;
}

/**
 * CoreDNS in node-cache: two stores per server block, random eviction, one query per miss, uncached
 * `forward` failures, an empty start.
 */
export class NodeCache implements NodeDns {
  readonly #agenda: Agenda;
  readonly #servers: Servers;
  readonly #random: () => number;
  #cluster!: Caches;
  #other!: Caches;
  #life = 0;

  constructor(agenda: Agenda, servers: Servers, random: () => number) {
    this.#agenda = agenda;
    this.#servers = servers;
    this.#random = random;
    this.start();
  }

  ask(query: Query, _client: number, done: Done): Outcome {
    const { nodeCache } = PARAMETERS;
    const nowSeconds = this.#agenda.nowMs / 1000;
    const caches = query.inCluster ? this.#cluster : this.#other;
    const cache = query.outcome === OUTCOME.ANSWER ? caches.success : caches.denial;
    const expires = cache.get(query.key);
    if (expires !== undefined && expires > nowSeconds) return query.outcome;

    const latencyMs = query.inCluster
      ? this.#servers.askCluster(query)
      : this.#servers.askOutside();
    if (latencyMs < 0) {
      this.#agenda.after(nodeCache.failureMs, () => done(OUTCOME.FAILED));
      return OUTCOME.WAITS;
    }
    const life = this.#life;
    this.#agenda.after(latencyMs, () => {
      if (life !== this.#life) return;
      const { successTtl, denialTtl } = query.inCluster ? nodeCache.cluster : nodeCache.other;
      const most = query.outcome === OUTCOME.ANSWER ? successTtl : denialTtl;
      const ttl = Math.max(nodeCache.minTtl, Math.min(query.ttlSeconds, most));
      cache.put(query.key, this.#agenda.nowMs / 1000 + ttl);
      done(query.outcome);
    });
    return OUTCOME.WAITS;
  }

  stop(): void {
    this.#life++;
  }

  start(): void {
    const { cluster, other } = PARAMETERS.nodeCache;
    this.#cluster = this.#make(cluster);
    this.#other = this.#make(other);
  }

  #make({ success, denial }: { success: number; denial: number }): Caches {
    return {
      success: new RandomPolicy(success, this.#random),
      denial: new RandomPolicy(denial, this.#random),
    };
  }
}
