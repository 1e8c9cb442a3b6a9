import { listenAddresses, type ManifestOptions, PORTS, withPort } from "./options.ts";

/** What a node's cache is for beside being near, in words for whoever reads the Corefile. */
const BRIDGING = [
  "# Asked 5 times with gaps below a minute: fetched again before it expires.",
  "prefetch 5 1m 10%",
  "# While upstreams fail or take longer than a second: the last answer, for at most an hour.",
  "serve_stale 1h verify 1s",
];

/**
 * The Corefile of a new manifest: zones and caches of the one that Kubernetes publishes, and `ready`
 * for a probe; unless it is to be plain, caches that bridge failures. What stands in variables is
 * filled by nodens when it starts.
 */
export function corefileText(options: ManifestOptions): string {
  const { domain, kubeDns, localDns, mode, plain } = options;
  const bind = listenAddresses(options).join(" ");
  const clusterDns = mode === "ipvs" ? kubeDns.join(" ") : "__PILLAR__CLUSTER__DNS__";
  const toCluster = [`forward . ${clusterDns} {`, "    force_tcp", "}"];
  const cache = (ttl: string, limits: string[]) => {
    const lines = plain ? limits : [...limits, ...BRIDGING];
    if (lines.length === 0) return [`cache${ttl}`];
    return [`cache${ttl} {`, ...lines.map((line) => `    ${line}`), "}"];
  };
  const block = (zone: string, caching: string[], forward: string[], more: string[] = []) => [
    `${zone}:53 {`,
    ...[
      "errors",
      ...caching,
      "reload",
      "loop",
      `bind ${bind}`,
      ...forward,
      // The brackets are for IPv6; an IPv4 address may have them too.
      `prometheus [{$POD_IP}]:${PORTS.metrics}`,
      ...more,
    ].map((line) => `    ${line}`),
    "}",
  ];
  return [
    ...block(
      domain,
      cache("", ["success 9984 30", "denial 9984 5"]),
      toCluster,
      [
        `health ${withPort(localDns[0]!, PORTS.health)}`,
        `ready ${withPort(localDns[0]!, PORTS.ready)}`,
      ],
    ),
    ...block("in-addr.arpa", cache(" 30", []), toCluster),
    ...block("ip6.arpa", cache(" 30", []), toCluster),
    ...block(".", cache(" 30", []), ["forward . __PILLAR__UPSTREAM__SERVERS__"]),
    "",
  ].join("\n");
}
