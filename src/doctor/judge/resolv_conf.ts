import { ok, problem, skipped, type Verdict, warning } from "./finding.ts";

/** A file in the format of resolv.conf. */
export interface ResolvConfFacts {
  readonly path: string;
  readonly servers: readonly string[] | null;
  readonly forwarded: boolean;
  readonly leftOut?: readonly string[];
}

/** Kubelet's configuration of pods. */
export interface KubeletFacts {
  readonly path: string;
  readonly clusterDns: readonly string[];
  /** `resolvConf`: for dnsPolicy Default, such as kube-dns. */
  readonly resolvConf: ResolvConfFacts | null;
}

const REMEDY = "forward to servers by their addresses, or to a file that names them, such as" +
  " /run/systemd/resolve/resolv.conf (in the Corefile, or upstreamNameservers of the kube-dns" +
  " config map)";

/** Checks for forwarding loops. */
export function judgeResolvConf(
  files: readonly ResolvConfFacts[],
  { own }: { own: readonly string[] },
): Verdict {
  const used = files.filter(({ forwarded }) => forwarded);
  const loops = used.filter(({ leftOut = [] }) => leftOut.length > 0);
  const onlyLoops = loops.filter(({ servers, leftOut }) =>
    servers?.every((one) => leftOut!.includes(one)) === true
  );
  const names = (list: readonly ResolvConfFacts[]) =>
    list.map(({ path, leftOut = [] }) => `${path} names ${leftOut.join(", ")}`).join("; ");
  if (onlyLoops.length > 0) {
    return problem(
      `${names(onlyLoops)} alone, which is nodens itself and left out: queries that are forwarded` +
        " to its servers get SERVFAIL until it names another",
      REMEDY,
    );
  }
  const unusable = [
    ...used.filter(({ servers }) => servers === null).map(({ path }) => `${path} cannot be read`),
    ...used.filter(({ servers }) => servers?.length === 0)
      .map(({ path }) => `${path} names no server`),
  ];
  if (unusable.length > 0) {
    return warning(
      `${unusable.join("; ")}: nodens waits until it names a server; until then, queries without` +
        " another upstream get SERVFAIL",
      REMEDY,
    );
  }
  if (loops.length > 0) {
    return warning(`${names(loops)}, which is nodens itself and left out`, REMEDY);
  }
  const harmless = files.flatMap(({ path, servers }) => {
    const ours = servers?.filter((one) => own.includes(one)) ?? [];
    return ours.length === 0 ? [] : [`${path} names ${ours.join(", ")}`];
  });
  if (harmless.length > 0) {
    return ok(`${harmless.join("; ")}, but no forwarded query comes back: no loop`);
  }
  if (files.length === 0) return skipped("there is none");
  return ok(
    files.map(({ path, servers }) =>
      `${path}: ${servers === null ? "cannot be read" : servers.join(", ") || "no server"}`
    ).join("; "),
  );
}

/** Checks that pods query nodens, but kube-dns does not. */
export function judgeKubelet(
  kubelet: KubeletFacts | null,
  { own, localIps }: { own: readonly string[]; localIps: readonly string[] },
): Verdict {
  if (localIps.length === 0) return skipped("no -localip: not a node's cache");
  if (kubelet === null) {
    return skipped("its configuration is not visible here: the servers of pods are not known");
  }
  const { path, clusterDns, resolvConf } = kubelet;
  const loop = resolvConf?.servers?.filter((one) => own.includes(one)) ?? [];
  if (loop.length > 0) {
    return problem(
      `${path} gives pods with dnsPolicy Default ${resolvConf!.path}, which names ` +
        loop.join(", ") +
        "; kube-dns is such a pod, so it would forward to nodens, and nodens to it",
      "set resolvConf to a file that names the real servers, such as" +
        " /run/systemd/resolve/resolv.conf, and restart kubelet",
    );
  }
  if (clusterDns.length === 0) return skipped(`${path} names no clusterDNS`);
  if (!clusterDns.some((one) => localIps.includes(one))) {
    return warning(
      `${path} has pods ask ${clusterDns.join(", ")}, which is not in -localip`,
      `add it to -localip (kube-proxy with iptables), or have pods ask ${localIps[0]}: clusterDNS` +
        " in kubelet's configuration",
    );
  }
  return ok(`pods ask ${clusterDns.join(", ")} (${path})`);
}
