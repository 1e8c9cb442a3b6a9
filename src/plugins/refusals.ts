const LATER = "it is planned for a later version (remove the directive)";
const ZONES =
  "nodens serves no zones of its own (forward the zone to a server that does, or list " +
  "single names with hosts)";
const ELSEWHERE = "nodens does not have it (forward the zone to a CoreDNS that does)";

/** Alternatives to unsupported directives. */
export const REFUSALS: ReadonlyMap<string, string> = new Map([
  ...["view", "dnstap", "tls", "https", "https3", "quic", "grpc_server", "geoip", "autopath"]
    .map((name) => [name, LATER] as const),
  ...["file", "auto", "secondary", "transfer", "sign", "dnssec", "git", "records", "mysql", "pdsql"]
    .map((name) => [name, ZONES] as const),
  ...["etcd", "route53", "azure", "clouddns", "nomad", "k8s_external", "k8s_gateway", "kubenodes"]
    .map((name) => [name, ELSEWHERE] as const),
  ...["k8s_crd", "multicluster", "ocp_dnsnameresolver", "netbox", "digitalocean", "gslb", "wgsd"]
    .map((name) => [name, ELSEWHERE] as const),
  ...["tailscale", "lighthouse", "meship", "mdns", "ens", "gathersrv"]
    .map((name) => [name, ELSEWHERE] as const),
  [
    "kubernetes",
    "the cluster DNS answers for Kubernetes (forward cluster.local to its address instead)",
  ],
  ["proxy", "CoreDNS replaced it (use forward)"],
  ["grpc", "nodens queries upstreams over UDP, TCP, TLS and HTTPS (use forward)"],
  ["fanout", "use forward with hedge, which also queries a second server if the first is slow"],
  [
    "alternate",
    "use forward with failover, which queries the next server after certain response codes",
  ],
  ["dnsredir", "use a forward directive for each list of zones"],
  ["forwardcrd", "use a forward directive for each zone"],
  ["unbound", "nodens does not resolve from the root (use forward)"],
  ["redisc", "use cache with persist, which keeps the cache across restarts"],
  ["redis", ZONES],
  ["filterlist", "use hosts with a block list, or acl"],
  ["filter", "use hosts with a block list, or acl"],
  ["ads", "use hosts with a block list"],
  ["blocklist", "use hosts with a block list"],
  ["warnlist", "use hosts with a block list"],
  ["ratelimit", "use rrl"],
  ["ipset", "nodens changes no sets of addresses"],
  ["split", "use a server block for each listener (bind)"],
  ["tsig", "nodens signs no messages"],
  ["proxyproto", "nodens reads no PROXY headers (let clients reach it directly)"],
  ["shed", "nodens sheds load automatically (docs/security.md has the bounds)"],
  ["erratic", "it only tests clients"],
  ["on", "nodens runs no commands (use units of systemd, or an init container)"],
]);
