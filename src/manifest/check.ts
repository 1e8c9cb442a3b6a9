import { readConfig } from "../loading/read.ts";
import type { LoadedConfig } from "../loading/load.ts";
import { CorefileErrors } from "../corefile/error.ts";
import { didYouMean } from "../corefile/nearest.ts";
import { normalizeZone } from "../dns/zone.ts";
import { fillTemplate } from "../node/template/template.ts";
import {
  checkArguments,
  DEFAULT_NODE,
  type NodeArguments,
  type ReadArguments,
  STAND_IN,
} from "./check_arguments.ts";
import type { ConfigText, ManifestContent, NodeContainer } from "./documents.ts";
import type { CheckResult, Expected } from "./fault.ts";
import { type ManifestFault, MAX_FAULTS } from "./fault.ts";
import { pullFault } from "./image.ts";
import { checkMemory } from "./memory.ts";
import { podView } from "./pod_view.ts";
import { FILLED_AT_START, VARIABLE } from "./variables.ts";

/** Stands for the address of the upstream service, which only the cluster knows (RFC 5737). */
const CLUSTER_DNS = "192.0.2.10";
/** Filled at the start too, but only where the arguments say which domain it is. */
const DOMAIN = "__PILLAR__DNS__DOMAIN__";
const REMEDIES: Record<string, string> = {
  __PILLAR__LOCAL__DNS__: "give -localdns ADDRESS",
  __PILLAR__DNS__SERVER__: "give -kubedns ADDRESS, that of the kube-dns service",
  [DOMAIN]: "give -domain NAME",
  __PILLAR__CLUSTER__DNS__: "nodens fills it in the mounted Corefile alone",
  __PILLAR__UPSTREAM__SERVERS__: "nodens fills it in the mounted Corefile alone",
};

/** A manifest that is checked: what stands in it, and its name in messages. */
export interface CheckedManifest extends ManifestContent {
  file: string;
  text: string;
}

/**
 * Looks for what would go wrong once the manifest is applied: variables that nobody fills, arguments
 * that nodens does not take, addresses that pods could not reach, and faults of the Corefile, which
 * is read as nodens reads it when it starts.
 */
export async function checkManifest(
  manifest: CheckedManifest,
  expected: Expected,
  readArguments: ReadArguments,
): Promise<CheckResult> {
  const result: CheckResult = { faults: [], warnings: [] };
  const { containers, configTexts } = manifest;
  const templates = new Map<ConfigText, NodeArguments>();
  const served: { corefile: ConfigText; container: NodeContainer | null; node: NodeArguments }[] =
    [];
  for (const container of containers) {
    const node = checkArguments(container, expected, { readArguments, result });
    checkMemory(container.memoryLimit, result);
    const { image } = container;
    const why = image === null ? null : pullFault(image.text);
    if (image !== null && why !== null) result.warnings.push({ line: image.line, what: why });
    const corefile = container.files.get(node.baseFile) ?? container.files.get(node.target);
    if (corefile === undefined) {
      const what = `no ConfigMap of this file is mounted as ${node.baseFile}, so the Corefile is` +
        " not checked";
      result.warnings.push({ line: container.line, what });
      continue;
    }
    if (corefile === container.files.get(node.baseFile)) templates.set(corefile, node);
    served.push({ corefile, container, node });
  }
  if (containers.length === 0) {
    for (const corefile of configTexts.filter(({ key }) => key === "Corefile")) {
      templates.set(corefile, DEFAULT_NODE);
      served.push({ corefile, container: null, node: DEFAULT_NODE });
    }
  }
  const unfilled = findVariables(manifest, templates);
  result.faults.push(...unfilled.map(({ fault }) => fault));
  for (const one of served) {
    const { start, end } = one.corefile;
    if (unfilled.some(({ at }) => at >= start && at < end)) continue;
    await checkCorefile(manifest.file, one, expected, result);
  }
  const inOrder = (list: ManifestFault[]) =>
    list.sort((a, b) => a.line - b.line)
      .filter(({ line, what }, i) => line !== list[i - 1]?.line || what !== list[i - 1]?.what)
      .slice(0, MAX_FAULTS);
  return { faults: inOrder(result.faults), warnings: inOrder(result.warnings) };
}

/** Variables that stay, except in comments and where nodens fills them at the start. */
function findVariables(
  { text }: CheckedManifest,
  templates: ReadonlyMap<ConfigText, NodeArguments>,
): { at: number; fault: ManifestFault }[] {
  const found: { at: number; fault: ManifestFault }[] = [];
  let at = 0;
  text.split("\n").forEach((content, index) => {
    const comment = content.search(/(^|\s)#/);
    for (const { 0: name, index: column } of content.matchAll(VARIABLE)) {
      const place = at + column;
      if (comment >= 0 && column > comment) continue;
      const [, node] = [...templates].find(([{ start, end }]) => place >= start && place < end) ??
        [];
      if (node !== undefined && FILLED_AT_START.includes(name)) continue;
      if (node !== undefined && node.domain !== null && name === DOMAIN) continue;
      const remedy = REMEDIES[name];
      const hint = remedy === undefined ? didYouMean(name, Object.keys(REMEDIES)) : ` (${remedy})`;
      const what = remedy === undefined
        ? `there is no variable ${name}${hint}`
        : `${name} is not filled${hint}`;
      found.push({ at: place, fault: { line: index + 1, what } });
    }
    at += content.length + 1;
  });
  return found;
}

async function checkCorefile(
  file: string,
  { corefile, container, node }: {
    corefile: ConfigText;
    container: NodeContainer | null;
    node: NodeArguments;
  },
  expected: Expected,
  result: CheckResult,
): Promise<void> {
  const { localIps, target, dnsPort } = node;
  // Lines of a literal block are lines of the manifest: as many empty ones before make it so.
  const name = corefile.literal ? file : "Corefile";
  const lead = corefile.literal ? "\n".repeat(corefile.line) : "";
  const lineOf = (inCorefile: number) => corefile.literal ? inCorefile : corefile.line;
  const files = new Map(
    [...container?.files ?? []].map(([path, { text }]) => [path, text] as const),
  );
  const view = podView(files, {
    corefile: { name, path: target },
    env: container?.env ?? new Map(),
  });
  let loaded: LoadedConfig;
  try {
    const { text } = fillTemplate(lead + corefile.text, {
      file: name,
      // Where they are not known, that has been told.
      localIps: localIps.length > 0 ? localIps : [STAND_IN],
      // The Service that nodens asks has an address of its own, known on the node alone.
      clusterDns: { address: CLUSTER_DNS },
      upstreamNameservers: [],
      domain: node.domain ?? "",
      stubDomains: [],
      dnsPort,
    });
    loaded = await readConfig({ file: name, text, defaultPort: dnsPort }, view);
  } catch (error) {
    if (!(error instanceof CorefileErrors)) throw error;
    for (const fault of error.errors) {
      result.faults.push(
        fault.file === name && corefile.literal
          ? { line: fault.line, what: fault.message.slice(`${name}:${fault.line}: `.length) }
          : { line: corefile.line, what: fault.message },
      );
    }
    return;
  }
  for (const warning of loaded.warnings) {
    const [, line] = corefile.literal ? /:([0-9]+): /.exec(warning.slice(name.length)) ?? [] : [];
    const own = line !== undefined && warning.startsWith(`${name}:${line}: `);
    result.warnings.push(
      own
        ? { line: Number(line), what: warning.slice(`${name}:${line}: `.length) }
        : { line: corefile.line, what: warning },
    );
  }
  checkDomain(loaded, expected, { lineOf, result });
  for (const { address, zones } of localIps.length === 0 ? [] : loaded.config.listeners) {
    if (address === "" || localIps.includes(address)) continue;
    const block = loaded.config.blocks[zones[0]!.block]!;
    const what = `${address} is listened on, but -localip has only ${localIps.join(",")}`;
    result.warnings.push({ line: lineOf(block.line), what });
  }
}

function checkDomain(
  { config }: LoadedConfig,
  { domain }: Expected,
  { lineOf, result }: { lineOf: (line: number) => number; result: CheckResult },
): void {
  if (domain === null) return;
  const wanted = normalizeZone(domain);
  if (config.blocks.some(({ zones }) => zones.includes(wanted))) return;
  const isOther = (zone: string) => zone !== "." && !zone.endsWith(".arpa.");
  const block = config.blocks.find(({ zones }) => zones.some(isOther)) ?? config.blocks[0];
  const zones = block?.zones.map((zone) => zone.replace(/(?<=.)\.$/, "")).join(", ");
  result.faults.push({
    line: lineOf(block?.line ?? 1),
    what: `no server block is for the domain "${domain}": this one is for ${zones} (names of the` +
      " cluster would be looked for elsewhere)",
  });
}
