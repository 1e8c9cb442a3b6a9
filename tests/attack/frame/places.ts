import type { Endpoint } from "./sockets.ts";

/**
 * Addresses in the namespace of an attack; all of them lead to lo, and anybody may send from any of
 * them, as on a network whose switches do not check sources.
 */
export const PLACES = {
  /** Where nodens serves. */
  dns: "169.254.20.10",
  /** The address of the kube-dns Service, which it also serves. */
  kubeDns: "10.96.0.10",
  /** Where nodens forwards the cluster's names, over TCP. */
  clusterUpstream: "10.96.0.11",
  /** Where it forwards all other names. */
  upstream: "10.0.0.53",
  /** The servers behind unbound, if that is the upstream. */
  authority: "10.0.0.61",
  /** The node's own address, with metrics. */
  node: "10.0.0.1",
  /** The well-behaved client. */
  client: "10.244.0.2",
  /** The attacker. */
  attacker: "10.244.0.66",
  /** Whose address the attacker writes on its queries. */
  victim: "10.244.7.7",
} as const;

/** nodens, for clients. */
export const SERVER: Endpoint = { address: PLACES.dns, port: 53 };

/** Ports of nodens over HTTP. */
export const HTTP = { metrics: 9253, health: 8080, ready: 8181 } as const;

/** Address in every honest record. */
export const HONEST_ADDRESS: Uint8Array = Uint8Array.of(10, 9, 9, 9);

/** Zones of the well-behaved client: one is asked for over UDP, the other over TCP. */
export const GOOD_ZONES = ["good.test", "good.cluster.local"] as const;

/** The attacker's zones, likewise. */
export const EVIL_ZONES = { udp: "evil.test", tcp: "evil.cluster.local" } as const;
