import { listenAddresses, type ManifestOptions, PORTS } from "./options.ts";

const BRIDGING = [
  "# Asked 5 times with gaps below a minute: fetched again before it expires.",
  "prefetch 5 1m 10%",
  "# While upstreams fail or take longer than a second: the last answer, for at most an hour.",
  "serve_stale 1h verify 1s",
];

/**
 * Corefile of a new manifest: published zones, `ready`, and unless plain, caches that bridge
 * failures.
 */
export function corefileText(options: ManifestOptions): string {
  const { domain, kubeDns, localDns, mode, plain } = options;
  const local = localDns[0]!.includes(":") ? `[${localDns[0]}]` : localDns[0]!;
  const clusterDns = mode === "ipvs" ? kubeDns.join(" ") : "__PILLAR__CLUSTER__DNS__";
  const toCluster = block(`forward . ${clusterDns}`, ["force_tcp"]);
  const cache = (ttl: string, limits: string[] = []) =>
    block(`cache${ttl}`, plain ? limits : [...limits, ...BRIDGING]);
  const server = (zone: string, caching: string[], forward: string[], more: string[] = []) =>
    block(`${zone}:53`, [
      "errors",
      ...caching,
      "reload",
      "loop",
      `bind ${listenAddresses(options).join(" ")}`,
      ...forward,
      // Brackets: for IPv6.
      `prometheus [{$POD_IP}]:${PORTS.metrics}`,
      ...more,
    ]);
  return [
    ...server(domain, cache("", ["success 9984 30", "denial 9984 5"]), toCluster, [
      `health ${local}:${PORTS.health}`,
      `ready ${local}:${PORTS.ready}`,
    ]),
    ...server("in-addr.arpa", cache(" 30"), toCluster),
    ...server("ip6.arpa", cache(" 30"), toCluster),
    ...server(".", cache(" 30"), ["forward . __PILLAR__UPSTREAM__SERVERS__"]),
    "",
  ].join("\n");
}

function block(head: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [head] : [`${head} {`, ...lines.map((line) => `    ${line}`), "}"];
}
