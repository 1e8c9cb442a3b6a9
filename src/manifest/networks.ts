import { parseAddress } from "../dns/address.ts";
import { isInNetwork, type Network, parseNetwork } from "../dns/network.ts";

/** A range of addresses, as it is written. */
export interface Range extends Network {
  text: string;
}

/** Parses a range like `10.96.0.0/12`, or returns null. */
export function parseRange(text: string): Range | null {
  const network = parseNetwork(text);
  return network === null ? null : { text, ...network };
}

const IMPOSSIBLE: readonly (readonly [range: string, why: string])[] = [
  ["127.0.0.0/8", "a loopback address differs in every pod"],
  ["::1/128", "a loopback address differs in every pod"],
  ["0.0.0.0/8", "it is not the address of a host"],
  ["::/128", "it is not the address of a host"],
  ["224.0.0.0/3", "it is not the address of one host"],
  ["ff00::/8", "it is a multicast address"],
  ["fe80::/10", "a link-local IPv6 address differs from link to link (take one of fd00::/8)"],
  ["169.254.169.254/32", "clouds serve their metadata there"],
  ["169.254.169.253/32", "a cloud serves DNS there"],
];

/** Minimum service range, if unspecified. */
const SERVICE_PREFIX = { 4: 24, 16: 112 } as const;

/** Why `address` cannot be used on every node, or null. */
export function localAddressFault(
  address: string,
  cluster: { ranges: readonly Range[]; kubeDns: readonly string[] },
): string | null {
  const bytes = parseAddress(address)!;
  const isIn = (network: Network) => isInNetwork(network, bytes, 0, bytes.length);
  for (const [range, why] of IMPOSSIBLE) {
    if (isIn(parseNetwork(range)!)) return why;
  }
  for (const range of cluster.ranges) {
    if (isIn(range)) return `it is in the cluster's range ${range.text}`;
  }
  for (const service of cluster.kubeDns) {
    if (service === address) return "it is the address of the kube-dns service";
    const octets = [...parseAddress(service)!];
    if (isIn({ octets, bits: SERVICE_PREFIX[octets.length as 4 | 16] })) {
      return `it is in the service range, by the kube-dns service at ${service}`;
    }
  }
  return null;
}
