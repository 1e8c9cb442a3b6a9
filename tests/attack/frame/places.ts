import type { Endpoint } from "./sockets.ts";

/**
 * Addresses in an attack's namespace, all routed to lo. Any of them can be a source, as on a
 * network whose switches do not check sources.
 */
export const PLACES = {
  dns: "169.254.20.10",
  /** The kube-dns Service, also served by nodens. */
  kubeDns: "10.96.0.10",
  /** Upstream of the cluster's names, over TCP. */
  clusterUpstream: "10.96.0.11",
  /** Upstream of all other names. */
  upstream: "10.0.0.53",
  /** The servers behind unbound, if that is the upstream. */
  authority: "10.0.0.61",
  /** The node's address, with metrics. */
  node: "10.0.0.1",
  client: "10.244.0.2",
  attacker: "10.244.0.66",
  /** Source address that the attacker forges. */
  victim: "10.244.7.7",
} as const;

/** nodens, for clients. */
export const SERVER: Endpoint = { address: PLACES.dns, port: 53 };

/** Ports of nodens over HTTP. */
export const HTTP = { metrics: 9253, health: 8080, ready: 8181 } as const;

export const HONEST_ADDRESS: Uint8Array = Uint8Array.of(10, 9, 9, 9);

/** Zones of the well-behaved client, queried over UDP and over TCP. */
export const GOOD_ZONES = ["good.test", "good.cluster.local"] as const;

/** The attacker's zones, likewise. */
export const EVIL_ZONES = { udp: "evil.test", tcp: "evil.cluster.local" } as const;
