import type { HostView } from "../config/host.ts";
import { fillTemplate } from "../node/template/template.ts";
import { DEFAULT_NODE, type NodeArguments, STAND_IN } from "./check_arguments.ts";
import type { ConfigText, ManifestContent, NodeContainer } from "./documents.ts";

/** Stands in for the upstream service's address (RFC 5737). */
const CLUSTER_DNS = "192.0.2.10";
/** Names a server that stands in for the node's (RFC 5737). */
const RESOLV_CONF = "nameserver 192.0.2.53\n";

/** `readFailure` knows the name. */
class NotFound extends Error {
  override readonly name = "NotFound";
}

/** Container and Corefile; without a DaemonSet, a ConfigMap's Corefile. */
export interface Served {
  readonly container: NodeContainer | null;
  readonly node: NodeArguments;
  /** Null if the container mounts none. */
  readonly corefile: ConfigText | null;
  readonly isTemplate: boolean;
}

/** Finds what each container serves; `argumentsOf` reads its arguments. */
export function findServed(
  { containers, configTexts }: Pick<ManifestContent, "containers" | "configTexts">,
  argumentsOf: (container: NodeContainer) => NodeArguments,
): Served[] {
  if (containers.length === 0) {
    return configTexts.filter(({ key }) => key === "Corefile")
      .map((corefile) => ({ container: null, node: DEFAULT_NODE, corefile, isTemplate: true }));
  }
  return containers.map((container) => {
    const node = argumentsOf(container);
    const template = container.files.get(node.baseFile);
    const corefile = template ?? container.files.get(node.target) ?? null;
    return { container, node, corefile, isTemplate: template !== undefined };
  });
}

/** Fills a Corefile with stand-ins. Throws `CorefileErrors`. */
export function fillServed(
  text: string,
  { localIps, dnsPort, metricsEndpoint }: NodeArguments,
  { file, domain }: { file: string; domain: string },
): string {
  return fillTemplate(text, {
    ...{ file, domain, dnsPort, metricsEndpoint, upstreamNameservers: [], stubDomains: [] },
    localIps: localIps.length > 0 ? localIps : [STAND_IN],
    clusterDns: { address: CLUSTER_DNS },
  }).text;
}

/** The pod as seen by a Corefile: ConfigMaps, environment, hosts, resolv.conf. */
export function podView({ container, node: { target } }: Served, name: string): HostView {
  // kubelet gives each container both.
  const all = new Map<string, { text: string }>([
    ["/etc/hosts", { text: "" }],
    ["/etc/resolv.conf", { text: RESOLV_CONF }],
    ...container?.files ?? [],
  ]);
  const directory = target.replace(/\/[^/]*$/, "");
  const within = (folder: string) => {
    const prefix = folder === "/" ? "/" : `${folder}/`;
    return [...all.keys()].filter((path) => path.startsWith(prefix))
      .map((path) => path.slice(prefix.length));
  };
  return {
    env(name) {
      const value = container?.env.get(name);
      return value === null ? STAND_IN : value;
    },
    readTextFile(path) {
      const file = all.get(path);
      if (file === undefined) throw new NotFound(path);
      return file.text;
    },
    kindOf: (path) => all.has(path) ? "file" : within(path).length > 0 ? "directory" : null,
    readDirectory: (path) => [...new Set(within(path).map((rest) => rest.split("/")[0]!))].sort(),
    absolute(path) {
      if (path === name) return target;
      return path.startsWith("/") ? path : `${directory}/${path}`;
    },
    hostname: () => "node",
    interfaces: () => [],
  };
}
