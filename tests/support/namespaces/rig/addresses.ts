export interface Addresses {
  readonly v4: string;
  readonly v6: string;
}

/** Service that pods query, whose address nodens takes over. */
export const KUBE_DNS: Addresses = { v4: "10.96.0.10", v6: "fd00:10:96::a" };
/** Service with the same endpoints, which nodens queries. */
export const KUBE_DNS_UPSTREAM: Addresses = { v4: "10.96.0.11", v6: "fd00:10:96::b" };
export const POD_NETWORK: Addresses = { v4: "10.244.0.0/16", v6: "fd00:10:244::/48" };
/** The resolver outside the cluster (RFC 2544's range). */
export const OUTSIDE: Addresses = { v4: "198.18.0.53", v6: "fd00:198:18::53" };
/** The fabric's end of all veth pairs. */
export const FABRIC: Addresses = { v4: "198.19.255.254", v6: "fd00:198:19:ffff::fe" };

/** Address of a node, counted from 0. */
export function nodeAddresses(node: number): Addresses {
  return { v4: `198.19.0.${node + 1}`, v6: `fd00:198:19::${(node + 1).toString(16)}` };
}

export function nodePodNetwork(node: number): Addresses {
  return { v4: `10.244.${node}.0/24`, v6: `fd00:10:244:${node.toString(16)}::/64` };
}

/** The node's end of its pods' veth pairs. */
export function podGateway(node: number): Addresses {
  return { v4: `10.244.${node}.1`, v6: `fd00:10:244:${node.toString(16)}::1` };
}

/** Address of a pod on a node. */
export function podAddresses(node: number, pod: number): Addresses {
  return {
    v4: `10.244.${node}.${pod + 2}`,
    v6: `fd00:10:244:${node.toString(16)}::${(pod + 2).toString(16)}`,
  };
}

/** Address of a kube-dns replica, which is on no node. */
export function replicaAddresses(replica: number): Addresses {
  return { v4: `10.244.200.${replica + 10}`, v6: `fd00:10:244:c8::${(replica + 10).toString(16)}` };
}
