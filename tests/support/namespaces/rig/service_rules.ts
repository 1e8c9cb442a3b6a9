import { type Addresses, KUBE_DNS, KUBE_DNS_UPSTREAM, POD_NETWORK } from "./addresses.ts";

/** Input of one `iptables-restore` or `ip6tables-restore`. */
export type Ruleset = string;

/** Mark of packets to masquerade. */
const MASQUERADE = "0x4000";
const SERVICES = [
  { name: "kube-dns", chain: "KUBE-SVC-DNS", addresses: KUBE_DNS },
  { name: "kube-dns-upstream", chain: "KUBE-SVC-UPSTREAM", addresses: KUBE_DNS_UPSTREAM },
];
const TRANSPORTS = ["udp", "tcp"];
const PORTALS = '-m comment --comment "kubernetes service portals"';

/** Rules of a node without services: jumps to the chains, and kubelet's hint. */
export function foundationRules(): Ruleset {
  return `*mangle
:KUBE-IPTABLES-HINT - [0:0]
COMMIT
*filter
:KUBE-FORWARD - [0:0]
:KUBE-SERVICES - [0:0]
-A FORWARD -m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD
-A FORWARD -m conntrack --ctstate NEW ${PORTALS} -j KUBE-SERVICES
-A OUTPUT -m conntrack --ctstate NEW ${PORTALS} -j KUBE-SERVICES
-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP
-A KUBE-FORWARD -m mark --mark ${MASQUERADE}/${MASQUERADE} -j ACCEPT
-A KUBE-FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
COMMIT
*nat
:KUBE-MARK-MASQ - [0:0]
:KUBE-POSTROUTING - [0:0]
:KUBE-SERVICES - [0:0]
-A PREROUTING ${PORTALS} -j KUBE-SERVICES
-A OUTPUT ${PORTALS} -j KUBE-SERVICES
-A POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING
-A KUBE-MARK-MASQ -j MARK --or-mark ${MASQUERADE}
-A KUBE-POSTROUTING -m mark ! --mark ${MASQUERADE}/${MASQUERADE} -j RETURN
-A KUBE-POSTROUTING -j MARK --xor-mark ${MASQUERADE}
-A KUBE-POSTROUTING -j MASQUERADE --random-fully
COMMIT
`;
}

/** Rules of the DNS services, replacing the previous ones. Without endpoints, they refuse. */
export function serviceRules(family: keyof Addresses, endpoints: readonly Addresses[]): Ruleset {
  const chains = ["KUBE-SERVICES"];
  const rules: string[] = [];
  const refusals: string[] = [];
  for (const transport of TRANSPORTS) {
    const suffix = transport.toUpperCase();
    const match = `-p ${transport} -m ${transport}`;
    for (const { name, chain, addresses } of SERVICES) {
      const to = `-d ${addresses[family]} ${match} --dport 53`;
      const comment = `-m comment --comment "kube-system/${name}:dns-${transport}`;
      const service = `${chain}-${suffix}`;
      chains.push(service);
      if (endpoints.length === 0) {
        refusals.push(`-A KUBE-SERVICES ${to} ${comment} has no endpoints" -j REJECT`);
        continue;
      }
      rules.push(
        `-A KUBE-SERVICES ${to} ${comment} cluster IP" -j ${service}`,
        // Replies to clients other than pods must return through this node.
        `-A ${service} ! -s ${POD_NETWORK[family]} ${to} -j KUBE-MARK-MASQ`,
      );
      endpoints.forEach((_, i) => {
        const left = endpoints.length - i;
        const chance = `-m statistic --mode random --probability ${(1 / left).toFixed(10)}`;
        rules.push(`-A ${service}${left === 1 ? "" : ` ${chance}`} -j KUBE-SEP-${i}-${suffix}`);
      });
    }
    endpoints.forEach((addresses, i) => {
      const address = addresses[family];
      const chain = `KUBE-SEP-${i}-${suffix}`;
      const target = family === "v6" ? `[${address}]:53` : `${address}:53`;
      chains.push(chain);
      rules.push(
        `-A ${chain} -s ${address} -j KUBE-MARK-MASQ`,
        `-A ${chain} ${match} -j DNAT --to-destination ${target}`,
      );
    });
  }
  return [
    "*filter",
    ":KUBE-SERVICES - [0:0]",
    ...refusals,
    "COMMIT",
    "*nat",
    ...chains.map((chain) => `:${chain} - [0:0]`),
    ...rules,
    "COMMIT",
    "",
  ].join("\n");
}
