import type { HostView } from "../config/host.ts";
import { CorefileErrors } from "../corefile/error.ts";
import { didYouMean } from "../corefile/nearest.ts";
import { normalizeZone } from "../dns/zone.ts";
import { type LoadedConfig, readConfig } from "../loading/load.ts";
import { fillTemplate } from "../node/template/template.ts";
import {
  checkArguments,
  DEFAULT_NODE,
  type Expected,
  type NodeArguments,
  type ReadArguments,
  STAND_IN,
} from "./check_arguments.ts";
import type {
  CheckResult,
  ConfigText,
  ManifestContent,
  ManifestFault,
  NodeContainer,
} from "./documents.ts";
import { FILLED_AT_START, pullFault, VARIABLE } from "./fill.ts";
import { checkMemory } from "./memory.ts";

const MAX_FAULTS = 100;
/** Placeholder for the upstream service (RFC 5737). */
export const CLUSTER_DNS = "192.0.2.10";
/** Filled at start, too, but only if the arguments name the domain. */
const DOMAIN = "__PILLAR__DNS__DOMAIN__";
/** Placeholder server (RFC 5737). */
const RESOLV_CONF = "nameserver 192.0.2.53\n";

const REMEDIES: Record<string, string> = {
  __PILLAR__LOCAL__DNS__: "give -localdns ADDRESS",
  __PILLAR__DNS__SERVER__: "give -kubedns ADDRESS, that of the kube-dns service",
  [DOMAIN]: "give -domain NAME",
  __PILLAR__CLUSTER__DNS__: "nodens fills it in the mounted Corefile alone",
  __PILLAR__UPSTREAM__SERVERS__: "nodens fills it in the mounted Corefile alone",
  __PROMETHEUS__ENDPOINT__: "nodens fills it in the mounted Corefile alone",
};

/** `readFailure` knows the name. */
class NotFound extends Error {
  override readonly name = "NotFound";
}

interface CheckedManifest extends ManifestContent {
  file: string;
  text: string;
}

interface ServedCorefile {
  corefile: ConfigText;
  container: NodeContainer | null;
  node: NodeArguments;
}

/** Finds failures at start, including Corefile faults. */
export async function checkManifest(
  manifest: CheckedManifest,
  expected: Expected,
  readArguments: ReadArguments,
): Promise<CheckResult> {
  const result: CheckResult = { faults: [], warnings: [] };
  const { containers, configTexts, file } = manifest;
  const templates = new Map<ConfigText, NodeArguments>();
  const served: ServedCorefile[] = [];
  for (const container of containers) {
    const node = checkArguments(container, expected, { readArguments, result });
    const { line, image, memoryLimit, files } = container;
    if (memoryLimit !== null) checkMemory(memoryLimit, result);
    const why = image === null ? null : pullFault(image.text);
    if (why !== null) result.warnings.push({ line: image!.line, what: why });
    const template = files.get(node.baseFile);
    const corefile = template ?? files.get(node.target);
    if (template !== undefined) templates.set(template, node);
    if (corefile !== undefined) served.push({ corefile, container, node });
    else {
      const what = `no ConfigMap of this file is mounted as ${node.baseFile}, so the Corefile is` +
        " not checked";
      result.warnings.push({ line, what });
    }
  }
  if (containers.length === 0) {
    for (const corefile of configTexts.filter(({ key }) => key === "Corefile")) {
      templates.set(corefile, DEFAULT_NODE);
      served.push({ corefile, container: null, node: DEFAULT_NODE });
    }
  }
  const unfilled = findVariables(manifest.text, templates);
  result.faults.push(...unfilled.map(({ fault }) => fault));
  for (const one of served) {
    if (unfilled.some(({ at }) => isWithin(at, one.corefile))) continue;
    await checkCorefile(file, one, { expected, result });
  }
  return { faults: inOrder(result.faults), warnings: inOrder(result.warnings) };
}

function inOrder(faults: ManifestFault[]): ManifestFault[] {
  return faults.sort((a, b) => a.line - b.line)
    .filter(({ line, what }, i) => line !== faults[i - 1]?.line || what !== faults[i - 1]?.what)
    .slice(0, MAX_FAULTS);
}

function isWithin(at: number, { start, end }: ConfigText): boolean {
  return at >= start && at < end;
}

function findVariables(
  text: string,
  templates: ReadonlyMap<ConfigText, NodeArguments>,
): { at: number; fault: ManifestFault }[] {
  const found: { at: number; fault: ManifestFault }[] = [];
  let lineAt = 0;
  text.split("\n").forEach((content, index) => {
    const comment = content.search(/(^|\s)#/);
    for (const { 0: name, index: column } of content.matchAll(VARIABLE)) {
      const at = lineAt + column;
      if (comment >= 0 && column > comment) continue;
      const node = [...templates].find(([template]) => isWithin(at, template))?.[1];
      if (node !== undefined && FILLED_AT_START.includes(name)) continue;
      if (node !== undefined && node.domain !== null && name === DOMAIN) continue;
      const remedy = REMEDIES[name];
      const what = remedy === undefined
        ? `there is no variable ${name}${didYouMean(name, Object.keys(REMEDIES))}`
        : `${name} is not filled (${remedy})`;
      found.push({ at, fault: { line: index + 1, what } });
    }
    lineAt += content.length + 1;
  });
  return found;
}

async function checkCorefile(
  file: string,
  { corefile, container, node }: ServedCorefile,
  { expected, result: { faults, warnings } }: { expected: Expected; result: CheckResult },
): Promise<void> {
  const { localIps, target, dnsPort, metricsEndpoint } = node;
  const { literal } = corefile;
  // Empty lines align line numbers with the manifest's.
  const name = literal ? file : "Corefile";
  const lead = literal ? "\n".repeat(corefile.line) : "";
  const lineOf = (line: number) => literal ? line : corefile.line;
  const located = (message: string): ManifestFault => {
    const [prefix, line] = /^:([0-9]+): /.exec(message.slice(name.length)) ?? [];
    return literal && prefix !== undefined && message.startsWith(name)
      ? { line: Number(line), what: message.slice(name.length + prefix.length) }
      : { line: corefile.line, what: message };
  };
  const view = podView(container?.files ?? new Map(), {
    corefile: { name, path: target },
    env: container?.env ?? new Map(),
  });
  let loaded: LoadedConfig;
  try {
    const { text } = fillTemplate(lead + corefile.text, {
      file: name,
      // Missing ones were already reported.
      localIps: localIps.length > 0 ? localIps : [STAND_IN],
      clusterDns: { address: CLUSTER_DNS },
      upstreamNameservers: [],
      domain: node.domain ?? "",
      metricsEndpoint,
      stubDomains: [],
      dnsPort,
    });
    loaded = await readConfig({ file: name, text, defaultPort: dnsPort }, view);
  } catch (error) {
    if (!(error instanceof CorefileErrors)) throw error;
    faults.push(...error.errors.map(({ message }) => located(message)));
    return;
  }
  warnings.push(...loaded.warnings.map(located));
  const missing = domainFault(loaded, expected.domain);
  if (missing !== null) faults.push({ line: lineOf(missing.line), what: missing.what });
  for (const { address, zones } of localIps.length === 0 ? [] : loaded.config.listeners) {
    if (address === "" || localIps.includes(address)) continue;
    const block = loaded.config.blocks[zones[0]!.block]!;
    const what = `${address} is listened on, but -localip has only ${localIps.join(",")}`;
    warnings.push({ line: lineOf(block.line), what });
  }
}

function domainFault({ config }: LoadedConfig, domain: string | null): ManifestFault | null {
  if (domain === null) return null;
  const wanted = normalizeZone(domain);
  if (config.blocks.some(({ zones }) => zones.includes(wanted))) return null;
  const isOther = (zone: string) => zone !== "." && !zone.endsWith(".arpa.");
  const block = config.blocks.find(({ zones }) => zones.some(isOther)) ?? config.blocks[0];
  const zones = block?.zones.map((zone) => zone.replace(/(?<=.)\.$/, "")).join(", ");
  return {
    line: block?.line ?? 1,
    what: `no server block is for the domain "${domain}": this one is for ${zones} (names of the` +
      " cluster would be looked for elsewhere)",
  };
}

/** A container's ConfigMaps, environment, hosts and resolv.conf. */
export function podView(
  files: ReadonlyMap<string, { text: string }>,
  { corefile, env }: {
    corefile: { name: string; path: string };
    env: ReadonlyMap<string, string | null>;
  },
): HostView {
  // kubelet gives each container both.
  const all = new Map([
    ["/etc/hosts", { text: "" }],
    ["/etc/resolv.conf", { text: RESOLV_CONF }],
    ...files,
  ]);
  const directory = corefile.path.replace(/\/[^/]*$/, "");
  const within = (folder: string) => {
    const prefix = folder === "/" ? "/" : `${folder}/`;
    return [...all.keys()].filter((path) => path.startsWith(prefix))
      .map((path) => path.slice(prefix.length));
  };
  return {
    env(name) {
      const value = env.get(name);
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
      if (path === corefile.name) return corefile.path;
      return path.startsWith("/") ? path : `${directory}/${path}`;
    },
    hostname: () => "node",
    interfaces: () => [],
  };
}
