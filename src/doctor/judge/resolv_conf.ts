import { canonicalAddress, parseAddress } from "../../dns/address.ts";
import { type Check, type Finding, ok, problem, skipped, warning } from "./finding.ts";

const HOST: Check = { id: "resolv-conf", title: "resolv.conf" };
const KUBELET: Check = { id: "kubelet", title: "kubelet" };

/** A file in the form of resolv.conf, and who takes its servers from it. */
export interface ResolvConfFacts {
  readonly path: string;
  /** Servers; null if it cannot be read. */
  readonly servers: readonly string[] | null;
  /** nodens forwards to its servers. */
  readonly forwarded: boolean;
  /** Those of the servers that are nodens itself, which it leaves out; default: none. */
  readonly leftOut?: readonly string[];
}

/** What kubelet tells pods. */
export interface KubeletFacts {
  /** Where that was read. */
  readonly path: string;
  /** `clusterDNS`: what pods ask. */
  readonly clusterDns: readonly string[];
  /** `resolvConf`: what pods get that do not ask the cluster (dnsPolicy Default), kube-dns among them. */
  readonly resolvConf: ResolvConfFacts | null;
}

/** Whether the servers that nodens forwards to are others than itself. */
export function judgeResolvConf(
  files: readonly ResolvConfFacts[],
  { own }: { own: readonly string[] },
): Finding {
  const used = files.filter(({ forwarded }) => forwarded);
  const loops = used.filter(({ leftOut = [] }) => leftOut.length > 0);
  const onlyLoops = loops.filter(({ servers, leftOut }) =>
    servers?.every((one) => leftOut!.includes(one)) === true
  );
  const names = ({ path, leftOut = [] }: ResolvConfFacts) => `${path} names ${leftOut.join(", ")}`;
  if (onlyLoops.length > 0) {
    return problem(
      HOST,
      `${onlyLoops.map(names).join("; ")} alone, which is nodens itself and left out: what is` +
        " forwarded to its servers gets SERVFAIL until it names another",
      REMEDY,
    );
  }
  const missing = used.filter(({ servers }) => servers === null);
  const empty = used.filter(({ servers }) => servers?.length === 0);
  if (missing.length + empty.length > 0) {
    const told = [
      ...missing.map(({ path }) => `${path} cannot be read`),
      ...empty.map(({ path }) => `${path} names no server`),
    ];
    return warning(
      HOST,
      `${told.join("; ")}: nodens waits until a server stands there, and what is forwarded to no` +
        " other gets SERVFAIL until then",
      REMEDY,
    );
  }
  if (loops.length > 0) {
    return warning(
      HOST,
      `${loops.map(names).join("; ")}, which is nodens itself and left out`,
      REMEDY,
    );
  }
  const others = files.filter(({ servers }) => servers?.some((one) => own.includes(one)));
  if (others.length > 0) {
    const told = others.map(({ path, servers }) =>
      `${path} names ${servers!.filter((one) => own.includes(one)).join(", ")}`
    ).join("; ");
    return ok(HOST, `${told}, and nothing that is forwarded comes back: no loop`);
  }
  if (files.length === 0) return skipped(HOST, "there is none");
  return ok(
    HOST,
    files.map(({ path, servers }) =>
      `${path}: ${servers === null ? "cannot be read" : servers.join(", ") || "no server"}`
    ).join("; "),
  );
}

const REMEDY = "forward to servers by their addresses, or to a file that names them, such as" +
  " /run/systemd/resolve/resolv.conf (in the Corefile, or upstreamNameservers of the kube-dns" +
  " config map)";

/** Whether pods ask nodens, and kube-dns does not. */
export function judgeKubelet(
  kubelet: KubeletFacts | null,
  { own, localIps }: { own: readonly string[]; localIps: readonly string[] },
): Finding {
  if (localIps.length === 0) return skipped(KUBELET, "no -localip: not a node's cache");
  if (kubelet === null) {
    return skipped(KUBELET, "its configuration is not to be seen here: what pods ask is not known");
  }
  const { path, clusterDns, resolvConf } = kubelet;
  const loop = resolvConf?.servers?.filter((one) => own.includes(one)) ?? [];
  if (loop.length > 0) {
    return problem(
      KUBELET,
      `${path} gives pods with dnsPolicy Default ${resolvConf!.path}, which names` +
        ` ${
          loop.join(", ")
        }; kube-dns is such a pod, so it would forward to nodens, and nodens to it`,
      "set resolvConf to a file that names the real servers, such as" +
        " /run/systemd/resolve/resolv.conf, and restart kubelet",
    );
  }
  if (clusterDns.length === 0) return skipped(KUBELET, `${path} names no clusterDNS`);
  const ours = clusterDns.filter((one) => localIps.includes(one));
  if (ours.length === 0) {
    return warning(
      KUBELET,
      `${path} has pods ask ${clusterDns.join(", ")}, which is not in -localip`,
      `add it to -localip (kube-proxy with iptables), or have pods ask ${
        localIps[0]
      }: clusterDNS in` +
        " kubelet's configuration",
    );
  }
  return ok(KUBELET, `pods ask ${clusterDns.join(", ")} (${path})`);
}

/** `clusterDNS` and `resolvConf` out of kubelet's configuration (YAML or JSON, flat as it is). */
export function parseKubeletConfig(
  text: string,
): { clusterDns: string[]; resolvConf: string | null } {
  const block = /^\s*"?clusterDNS"?:[ \t]*(\[[^\]]*\]|(?:\n\s*-[^\n]*)*)/m.exec(text)?.[1] ?? "";
  const clusterDns = block.split(/[^0-9a-fA-F:.]+/).filter((word) => parseAddress(word) !== null)
    .map(canonicalAddress);
  const path = /^\s*"?resolvConf"?:\s*"?(\/[^"\s,]+)/m.exec(text)?.[1] ?? null;
  return { clusterDns, resolvConf: path };
}
