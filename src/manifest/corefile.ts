import { listenAddresses, type ManifestOptions, PORTS, withPort } from "./options.ts";

/**
 * The Corefile of a new manifest: zones and caches of the one that Kubernetes publishes, and `ready`
 * for a probe. What stands in variables is filled by nodens when it starts.
 */
export function corefileText(options: ManifestOptions): string {
  const { domain, kubeDns, localDns, mode } = options;
  const bind = listenAddresses(options).join(" ");
  const clusterDns = mode === "ipvs" ? kubeDns.join(" ") : "__PILLAR__CLUSTER__DNS__";
  const toCluster = [`forward . ${clusterDns} {`, "    force_tcp", "}"];
  const block = (zone: string, cache: string[], forward: string[], more: string[] = []) => [
    `${zone}:53 {`,
    ...[
      "errors",
      ...cache,
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
      ["cache {", "    success 9984 30", "    denial 9984 5", "}"],
      toCluster,
      [
        `health ${withPort(localDns[0]!, PORTS.health)}`,
        `ready ${withPort(localDns[0]!, PORTS.ready)}`,
      ],
    ),
    ...block("in-addr.arpa", ["cache 30"], toCluster),
    ...block("ip6.arpa", ["cache 30"], toCluster),
    ...block(".", ["cache 30"], ["forward . __PILLAR__UPSTREAM__SERVERS__"]),
    "",
  ].join("\n");
}
