import { CorefileErrors } from "../corefile/error.ts";
import { didYouMean } from "../corefile/nearest.ts";
import { normalizeZone } from "../dns/zone.ts";
import { type LoadedConfig, readConfig } from "../loading/load.ts";
import { VARIABLES } from "../node/template/template.ts";
import { checkArguments, type Expected, type ReadArguments } from "./check_arguments.ts";
import type { CheckResult, ConfigText, ManifestContent, ManifestFault } from "./documents.ts";
import { pullFault, VARIABLE } from "./fill.ts";
import { checkMemory } from "./memory.ts";
import { fillServed, findServed, podView, type Served } from "./served.ts";

const MAX_FAULTS = 100;
/** Filled at start only if arguments name the domain. */
const DOMAIN = "__PILLAR__DNS__DOMAIN__";

const REMEDIES: Record<string, string> = {
  __PILLAR__LOCAL__DNS__: "give -localdns ADDRESS",
  __PILLAR__DNS__SERVER__: "give -kubedns ADDRESS, that of the kube-dns service",
  [DOMAIN]: "give -domain NAME",
  __PILLAR__CLUSTER__DNS__: "nodens fills it in the mounted Corefile alone",
  __PILLAR__UPSTREAM__SERVERS__: "nodens fills it in the mounted Corefile alone",
  __PROMETHEUS__ENDPOINT__: "nodens fills it in the mounted Corefile alone",
};

interface CheckedManifest extends Pick<ManifestContent, "containers" | "configTexts"> {
  file: string;
  text: string;
}

/** Finds failures at start, including Corefile faults. */
export async function checkManifest(
  { file, text, ...manifest }: CheckedManifest,
  expected: Expected,
  readArguments: ReadArguments,
): Promise<CheckResult> {
  const result: CheckResult = { faults: [], warnings: [] };
  const served = findServed(
    manifest,
    (container) => checkArguments(container, expected, { readArguments, result }),
  );
  for (const { container, node, corefile } of served) {
    if (container === null) continue;
    const { line, image, memoryLimit } = container;
    if (memoryLimit !== null) checkMemory(memoryLimit, result);
    const why = image === null ? null : pullFault(image.text);
    if (why !== null) result.warnings.push({ line: image!.line, what: why });
    if (corefile === null) {
      const what = `no ConfigMap of this file is mounted as ${node.baseFile}, so the Corefile is` +
        " not checked";
      result.warnings.push({ line, what });
    }
  }
  const unfilled = findVariables(text, served.filter(({ isTemplate }) => isTemplate));
  result.faults.push(...unfilled.map(({ fault }) => fault));
  for (const one of served) {
    const { corefile } = one;
    if (corefile === null || unfilled.some(({ at }) => includes(corefile, at))) continue;
    await checkCorefile(file, { ...one, corefile }, { expected, result });
  }
  return { faults: inOrder(result.faults), warnings: inOrder(result.warnings) };
}

function inOrder(faults: ManifestFault[]): ManifestFault[] {
  return faults.sort((a, b) => a.line - b.line)
    .filter(({ line, what }, i) => line !== faults[i - 1]?.line || what !== faults[i - 1]?.what)
    .slice(0, MAX_FAULTS);
}

function includes({ start, end }: ConfigText, at: number): boolean {
  return at >= start && at < end;
}

function findVariables(
  text: string,
  templates: readonly Served[],
): { at: number; fault: ManifestFault }[] {
  const found: { at: number; fault: ManifestFault }[] = [];
  let lineAt = 0;
  text.split("\n").forEach((content, index) => {
    const comment = content.search(/(^|\s)#/);
    for (const { 0: name, index: column } of content.matchAll(VARIABLE)) {
      const at = lineAt + column;
      if (comment >= 0 && column > comment) continue;
      const node = templates.findLast(({ corefile }) => includes(corefile!, at))?.node;
      const isKnown = (VARIABLES as readonly string[]).includes(name);
      if (node !== undefined && isKnown && (name !== DOMAIN || node.domain !== null)) continue;
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
  served: Served & { corefile: ConfigText },
  { expected, result: { faults, warnings } }: { expected: Expected; result: CheckResult },
): Promise<void> {
  const { corefile, node } = served;
  const { localIps, dnsPort } = node;
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
  let loaded: LoadedConfig;
  try {
    const source = { file: name, domain: node.domain ?? "" };
    const text = fillServed(lead + corefile.text, node, source);
    loaded = await readConfig({ file: name, text, defaultPort: dnsPort }, podView(served, name));
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
