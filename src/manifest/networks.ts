import { parseAddress } from "../dns/address.ts";

/** A range of addresses, as in `10.96.0.0/12`. */
export interface Network {
  /** As it was written. */
  text: string;
  bytes: Uint8Array;
  prefix: number;
}

/** Reads `ADDRESS/LENGTH`; null if it is none. */
export function parseNetwork(text: string): Network | null {
  const match = /^([0-9a-fA-F.:]+)\/([0-9]{1,3})$/.exec(text);
  const bytes = match === null ? null : parseAddress(match[1]!);
  const prefix = Number(match?.[2]);
  return bytes === null || prefix > bytes.length * 8 ? null : { text, bytes, prefix };
}

/** Whether an address lies in a range; never where the families differ. */
export function contains({ bytes, prefix }: Network, address: string): boolean {
  const wanted = parseAddress(address);
  if (wanted === null || wanted.length !== bytes.length) return false;
  for (let bit = 0; bit < prefix; bit++) {
    const mask = 0x80 >> (bit & 7);
    if (((bytes[bit >> 3]! ^ wanted[bit >> 3]!) & mask) !== 0) return false;
  }
  return true;
}

/** Ranges that no local address can lie in, and why. */
const IMPOSSIBLE: readonly (readonly [string, string])[] = [
  ["127.0.0.0/8", "a loopback address is another one in every pod"],
  ["::1/128", "a loopback address is another one in every pod"],
  ["0.0.0.0/8", "that is no address of a host"],
  ["::/128", "that is no address of a host"],
  ["224.0.0.0/3", "that is no address of one host"],
  ["ff00::/8", "that is a multicast address"],
  ["fe80::/10", "a link-local IPv6 address differs from link to link (take one of fd00::/8)"],
  ["169.254.169.254/32", "clouds serve their metadata there"],
  ["169.254.169.253/32", "a cloud serves DNS there"],
];

/** The part of the service range that is sure, where nobody said what the range is. */
const SURE_PREFIX = { 4: 24, 16: 112 } as const;

/**
 * Why `address` cannot be a local address of nodens, or null if it can: pods of every node must
 * reach their own node's nodens by it, so nothing else in the cluster may have it.
 */
export function localAddressFault(
  address: string,
  cluster: { ranges: readonly Network[]; kubeDns: readonly string[] },
): string | null {
  for (const [text, why] of IMPOSSIBLE) {
    if (contains(parseNetwork(text)!, address)) return why;
  }
  for (const range of cluster.ranges) {
    if (contains(range, address)) return `it lies in the cluster's range ${range.text}`;
  }
  for (const service of cluster.kubeDns) {
    if (service === address) return "that is the address of the kube-dns service";
    const bytes = parseAddress(service);
    if (bytes === null) continue;
    const prefix = SURE_PREFIX[bytes.length as 4 | 16];
    if (contains({ text: "", bytes, prefix }, address)) {
      return `it lies in the range of services, as the kube-dns service at ${service} shows`;
    }
  }
  return null;
}
