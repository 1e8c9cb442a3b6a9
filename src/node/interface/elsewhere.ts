import type { Link, LinkAddress } from "../../sys/netlink/rtnetlink_messages.ts";
import { addressText, type WantedAddress } from "./options.ts";

/** The link with the addresses of all Services, if kube-proxy uses IPVS. */
const IPVS_LINK = "kube-ipvs0";

/** Describes wanted addresses that other links have too, which keep them when nodens stops. */
export function describeElsewhere(
  wanted: readonly WantedAddress[],
  others: readonly LinkAddress[],
  listLinks: () => readonly Link[],
): string[] {
  const hosts = new Set(
    wanted.filter(({ loopback }) => !loopback).map(({ bytes }) => addressText(bytes)),
  );
  const found = others.filter(({ bytes }) => hosts.has(addressText(bytes)));
  const links = found.length === 0 ? [] : listLinks();
  return found.flatMap(({ bytes, prefixLength, index }) => {
    const name = links.find((link) => link.index === index)?.name ?? String(index);
    if (name === IPVS_LINK) return [];
    const address = `${addressText(bytes)}/${prefixLength}`;
    return [
      `${address} is on ${name} too, so without nodens queries to it still end on this machine,` +
      ` unanswered: ip address del ${address} dev ${name}`,
    ];
  });
}
