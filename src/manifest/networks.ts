import { parseAddress } from "../dns/address.ts";

/** A range of addresses, like `10.96.0.0/12`. */
export interface Network {
  text: string;
  bytes: Uint8Array;
  prefix: number;
}

/** Parses `ADDRESS/LENGTH`, or returns null. */
export function parseNetwork(text: string): Network | null {
  const [, address, length] = /^([0-9a-fA-F.:]+)\/([0-9]{1,3})$/.exec(text) ?? [];
  const bytes = address === undefined ? null : parseAddress(address);
  const prefix = Number(length);
  return bytes === null || prefix > bytes.length * 8 ? null : { text, bytes, prefix };
}

/** Whether an address is in a range. */
export function contains({ bytes, prefix }: Network, address: string): boolean {
  const other = parseAddress(address);
  return other !== null && other.length === bytes.length &&
    bits(other).startsWith(bits(bytes).slice(0, prefix));
}

function bits(bytes: Uint8Array): string {
  return Array.from(bytes, (octet) => octet.toString(2).padStart(8, "0")).join("");
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
  cluster: { ranges: readonly Network[]; kubeDns: readonly string[] },
): string | null {
  for (const [range, why] of IMPOSSIBLE) {
    if (contains(parseNetwork(range)!, address)) return why;
  }
  for (const range of cluster.ranges) {
    if (contains(range, address)) return `it is in the cluster's range ${range.text}`;
  }
  for (const service of cluster.kubeDns) {
    if (service === address) return "it is the address of the kube-dns service";
    const bytes = parseAddress(service)!;
    const prefix = SERVICE_PREFIX[bytes.length as 4 | 16];
    if (contains({ text: "", bytes, prefix }, address)) {
      return `it is in the service range, by the kube-dns service at ${service}`;
    }
  }
  return null;
}
