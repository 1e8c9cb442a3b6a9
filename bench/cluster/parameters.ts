/**
 * Assumptions of the model, with their sources. "Assumed" marks those without a source: they decide
 * the absolute figures more than the ratios between behaviours, but for the bursts, which decide what
 * coalescing saves in steady state. `docs/scale.md` lists it all.
 */
export const PARAMETERS = {
  /**
   * Pods on a node, and services of the cluster a node: Kubernetes' own scale tests
   * (coredns/deployment, Scaling_CoreDNS.md: 500 nodes, 15,000 pods, 820 services, and in
   * proportion up to 5,000).
   */
  podsPerNode: 30,
  servicesPerNode: 1.64,
  minServices: 20,
  /** Services in a namespace. Assumed. */
  servicesPerNamespace: 20,
  /** Pods of one workload, which look up the same names. Assumed. */
  podsPerWorkload: 10,
  /** Names that a workload looks up. Assumed. */
  namesPerWorkload: 8,
  /** How a workload writes them, as shares. Assumed. */
  forms: {
    /** `api`: a service of the same namespace, found at the first suffix. */
    short: 0.3,
    /** `api.shop`: found at the second suffix. */
    withNamespace: 0.28,
    /**
     * `api.shop.svc.cluster.local` without a final dot: found as written, after all suffixes.
     */
    full: 0.14,
    /** `www.example.org`: the same. */
    outside: 0.28,
  },
  /**
   * Exponent of the Zipf distribution of names over workloads, and of lookups over a workload's
   * names. Names in DNS are asked for in that way (Jung et al., "DNS Performance and the
   * Effectiveness of Caching", IEEE/ACM Transactions on Networking, 2002); the value is assumed.
   */
  zipfExponent: 0.91,
  /** Names outside of the cluster that are looked up at all. Assumed. */
  outsideNames: 1000,
  /** Lookups (getaddrinfo) of a pod a second, in the mean over all pods. Assumed. */
  lookupsPerPodSecond: 0.4,
  /** Pods differ: their rates follow a lognormal distribution with this sigma. Assumed. */
  rateSigma: 1,
  /**
   * Share of lookups that come several at once for one name, as when a pool of connections
   * fills, and how many at most (from 2, all alike). Assumed.
   */
  burst: { share: 0.05, most: 10 },

  /**
   * TTLs of outside names in seconds, with shares. Assumed; node-cache's `cache 30` cuts them at
   * 30.
   */
  outsideTtls: [[5, 0.1], [20, 0.15], [60, 0.35], [300, 0.3], [3600, 0.1]],
  /** Share of outside names that have IPv6 addresses. Assumed. */
  outsideWithIpv6: 0.4,
  /**
   * `ttl 30` of the kubernetes plugin in the usual Corefile of CoreDNS (kubeadm's); denials the
   * same.
   */
  clusterTtlSeconds: 30,
  /** MINIMUM of the SOA record of other zones. Assumed. */
  outsideDenialSeconds: 300,

  /**
   * Search list: `NAMESPACE.svc.cluster.local`, these, and the host's own (kubelet, dnsPolicy
   * ClusterFirst). Names with fewer dots than `ndots` go through it first.
   */
  ndots: 5,
  suffixes: ["svc.cluster.local", "cluster.local", "internal.example.net"],
  /** glibc's resolver (resolv.conf(5)). */
  clientTimeoutMs: 5000,
  clientAttempts: 2,

  /**
   * Queries a second of one CoreDNS replica with two processors, and its time for an answer
   * (Scaling_CoreDNS.md: 33,669 and 2.6 ms at that load; less when idle).
   */
  replicaPerSecond: 33_669,
  /**
   * Time from a node to the cluster DNS and back: the least, and the mean of what comes on top.
   * Assumed.
   */
  clusterLatencyMs: { least: 0.5, more: 1 },
  /** cluster-proportional-autoscaler's values in Kubernetes' dns-horizontal-autoscaler add-on. */
  nodesPerReplica: 16,
  minReplicas: 2,
  /** A query that would wait longer than this in the cluster DNS's queue is lost. Assumed. */
  maxQueueMs: 1000,
  /** Resolver outside: near it, and for some queries the recursion on top. Assumed. */
  outsideLatencyMs: { least: 2, more: 3, recursionShare: 0.1, recursion: 60 },

  /** node-cache's Corefile (cluster/addons/dns/nodelocaldns in kubernetes/kubernetes). */
  nodeCache: {
    cluster: { success: 9984, successTtl: 30, denial: 9984, denialTtl: 5 },
    other: { success: 9984, successTtl: 30, denial: 9984, denialTtl: 30 },
    /** CoreDNS's least TTL. */
    minTtl: 5,
    /**
     * CoreDNS's `forward` gives an attempt two seconds, and one attempt to an upstream that it
     * knows to be down.
     */
    failureMs: 2000,
  },
} as const;

/** Replicas of the cluster DNS that the autoscaler runs for a cluster of `nodes`. */
export function replicasFor(nodes: number): number {
  return Math.max(PARAMETERS.minReplicas, Math.ceil(nodes / PARAMETERS.nodesPerReplica));
}

/** When what happens in a run, in seconds of virtual time. */
export interface Timeline {
  /** Caches fill before, and nothing is counted. Longer than any TTL that they keep. */
  readonly steadyFrom: number;
  readonly eventFrom: number;
  /** How long each event lasts. */
  readonly outage: number;
  readonly restart: number;
  readonly update: number;
  /** Length of a run after the event. */
  readonly after: number;
  /** After a restart nodes come back within this time of each other. Assumed. */
  readonly nodesWithin: number;
  /** The pods of a node start within this time, and look up all of their names. Assumed. */
  readonly podsWithin: number;
}

/** The times that the tables are made with. */
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
