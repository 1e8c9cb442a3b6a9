/**
 * Assumptions of the model, with their sources. Those marked "Assumed" have none: they affect
 * absolute figures more than ratios, except bursts, which decide the savings of coalescing in
 * steady state. See `docs/scale.md`.
 */
export const PARAMETERS = {
  /**
   * Pods and services per node, as in Kubernetes' scale tests (coredns/deployment,
   * Scaling_CoreDNS.md: 500 nodes, 15,000 pods, 820 services, proportionally up to 5,000).
   */
  podsPerNode: 30,
  servicesPerNode: 1.64,
  minServices: 20,
  /** Services per namespace. Assumed. */
  servicesPerNamespace: 20,
  /** Pods of a workload, which share names. Assumed. */
  podsPerWorkload: 10,
  /** Names of a workload. Assumed. */
  namesPerWorkload: 8,
  /** Shares of spellings. Assumed. */
  forms: {
    /** `api`: same namespace, found at the first suffix. */
    short: 0.3,
    /** `api.shop`: found at the second suffix. */
    withNamespace: 0.28,
    /** `api.shop.svc.cluster.local` without a final dot: found as written, after all suffixes. */
    full: 0.14,
    /** `www.example.org`: the same. */
    outside: 0.28,
  },
  /**
   * Zipf exponent of names over workloads, and of lookups over a workload's names (Jung et al.,
   * "DNS Performance and the Effectiveness of Caching", IEEE/ACM Transactions on Networking, 2002);
   * its value is assumed.
   */
  zipfExponent: 0.91,
  /** Distinct names outside the cluster. Assumed. */
  outsideNames: 1000,
  /** Mean lookups (getaddrinfo) per pod and second. Assumed. */
  lookupsPerPodSecond: 0.4,
  /** Pods' rates follow a lognormal distribution with this sigma. Assumed. */
  rateSigma: 1,
  /**
   * Share of lookups in bursts for one name, such as a filling connection pool, and maximum size
   * (uniform from 2). Assumed.
   */
  burst: { share: 0.05, most: 10 },

  /** TTLs of outside names in seconds, with shares. Assumed; node-cache's `cache 30` caps them. */
  outsideTtls: [[5, 0.1], [20, 0.15], [60, 0.35], [300, 0.3], [3600, 0.1]],
  /** Share of outside names with IPv6 addresses. Assumed. */
  outsideWithIpv6: 0.4,
  /** `ttl 30` of the kubernetes plugin in kubeadm's Corefile; denials too. */
  clusterTtlSeconds: 30,
  /** SOA MINIMUM of other zones. Assumed. */
  outsideDenialSeconds: 300,

  /**
   * Search list: `NAMESPACE.svc.cluster.local`, these, and the host's (kubelet, dnsPolicy
   * ClusterFirst). Names with fewer dots than `ndots` try it first.
   */
  ndots: 5,
  suffixes: ["svc.cluster.local", "cluster.local", "internal.example.net"],
  /** glibc's resolver (resolv.conf(5)). */
  clientTimeoutMs: 5000,
  clientAttempts: 2,

  /**
   * Queries per second of a CoreDNS replica with two processors, and its latency
   * (Scaling_CoreDNS.md: 33,669 and 2.6 ms at that load; less when idle).
   */
  replicaPerSecond: 33_669,
  /** Round trip to the cluster DNS: minimum, and mean of the rest. Assumed. */
  clusterLatencyMs: { least: 0.5, more: 1 },
  /** Defaults of cluster-proportional-autoscaler in Kubernetes' dns-horizontal-autoscaler. */
  nodesPerReplica: 16,
  minReplicas: 2,
  /** Longer waits in the cluster DNS's queue lose the query. Assumed. */
  maxQueueMs: 1000,
  /** Outside resolver: nearby, plus recursion for some queries. Assumed. */
  outsideLatencyMs: { least: 2, more: 3, recursionShare: 0.1, recursion: 60 },

  /** node-cache's Corefile (cluster/addons/dns/nodelocaldns in kubernetes/kubernetes). */
  nodeCache: {
    cluster: { success: 9984, successTtl: 30, denial: 9984, denialTtl: 5 },
    other: { success: 9984, successTtl: 30, denial: 9984, denialTtl: 30 },
    /** CoreDNS's minimum TTL. */
    minTtl: 5,
    /** CoreDNS's `forward` allows two seconds per attempt, and one attempt to a down upstream. */
    failureMs: 2000,
  },
} as const;

/** Replicas of the cluster DNS chosen by the autoscaler. */
export function replicasFor(nodes: number): number {
  return Math.max(PARAMETERS.minReplicas, Math.ceil(nodes / PARAMETERS.nodesPerReplica));
}

/** Timeline of a run in seconds of virtual time. */
export interface Timeline {
  /** Earlier seconds fill caches uncounted. Above any cached TTL. */
  readonly steadyFrom: number;
  readonly eventFrom: number;
  /** Duration of each event. */
  readonly outage: number;
  readonly restart: number;
  readonly update: number;
  /** Duration of the run after the event. */
  readonly after: number;
  /** Nodes restart within this time of each other. Assumed. */
  readonly nodesWithin: number;
  /** A node's pods start and look up all their names within this time. Assumed. */
  readonly podsWithin: number;
}

/** Timeline of the published tables. */
export const TIMELINE: Timeline = {
  steadyFrom: 60,
  eventFrom: 150,
  outage: 120,
  restart: 60,
  update: 2,
  after: 90,
  nodesWithin: 10,
  podsWithin: 30,
};
