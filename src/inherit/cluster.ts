import { basename } from "node:path/posix";
import type { HostView } from "../config/host.ts";
import { Faults, TooManyFaults } from "../corefile/error.ts";
import type { Line } from "../corefile/parser.ts";
import { parseAddress } from "../dns/address.ts";
import { isWithin } from "../dns/zone.ts";
import { readConfig } from "../loading/load.ts";
import { parseKubeDnsConfig } from "../node/template/kube_dns_config.ts";
import { type Block, linesOf, lineText, readBlocks, serversOf, zoneOf, zonesOf } from "./blocks.ts";
import type { ConfigMap } from "./config_maps.ts";

/** A zone that the cluster DNS serves neither from Kubernetes nor from its upstreams. */
export interface StubZone {
  readonly zone: string;
  readonly where: string;
  readonly servers: readonly string[];
  /** Null if only the cluster DNS can answer. */
  readonly lines: readonly Line[] | null;
}

/** A name with an address. */
export interface HostEntry {
  readonly name: string;
  readonly address: string;
  readonly where: string;
}

/** Rewriting of any name. */
export interface Rewrite {
  readonly line: Line;
  readonly where: string;
  /** Zone of affected names; null for all. */
  readonly zone: string | null;
  /** Why nodens refuses it, or null. */
  readonly refused: string | null;
}

/** Behaviour of the cluster DNS that a node's cache lacks. */
export interface Inherited {
  /** Null if the ConfigMaps lack it. */
  readonly domain: string | null;
  readonly zones: readonly StubZone[];
  readonly hosts: readonly HostEntry[];
  readonly hostsTtl: string | null;
  readonly rewrites: readonly Rewrite[];
  readonly upstreams:
    | { readonly servers: readonly string[]; where: string; line: Line | null }
    | null;
  /** Ignored parts. */
  readonly notes: readonly string[];
}

const COREFILE = "Corefile";
const DIRECTORY = "/etc/coredns";
/** CoreDNS's Corefile if only custom parts are given. */
const CUSTOM_ALONE = `. {\n import custom/*.override\n}\nimport custom/*.server\n`;
/** How a server runs, not what it answers; the node has its own. */
const OWN = [
  ...["bind", "cache", "cancel", "debug", "errors", "health", "log", "loop", "metadata", "pprof"],
  ...["prometheus", "ready", "reload", "trace"],
];
/** Same meaning on a node. */
const PORTABLE = ["forward", "header", "loadbalance", "rewrite", "template"];
/** Compared in the block for all names, or about Kubernetes. */
const COMPARED = ["forward", "hosts", "rewrite", "kubernetes", "loadbalance", "autopath"];
const REWRITE_KINDS = ["exact", "prefix", "suffix", "substring", "regex"];

/** Reads ConfigMaps of CoreDNS and kube-dns. Throws `CorefileErrors`, `SyntaxError`. */
export async function readInherited(
  maps: readonly ConfigMap[],
  { skip }: { skip: string | null },
): Promise<Inherited> {
  const notes: string[] = [];
  const data = dataOf(maps, notes);
  const blocks = readCluster(data, notes);
  const root = blocks.find(({ zones }) => zones.includes(".")) ?? null;
  const kube = maps.filter(({ name }) => name !== skip).map(readKubeDns);
  const zones = [
    ...(await Promise.all(blocks.filter((block) => block !== root).map(stubZones))).flat(),
    ...linesOf(root, "forward").flatMap((line) => forwardedZones(line)),
    ...kube.flatMap((one) => one.zones),
  ];
  for (const { words: [name] } of root?.lines ?? []) {
    if (OWN.includes(name.text) || COMPARED.includes(name.text)) continue;
    notes.push(`${placeOf(name)}: ${name.text} is not compared`);
  }
  if (skip !== null && maps.some(({ name, data }) => name === skip && data.size > 0)) {
    notes.push(`the ConfigMap ${skip} is left out: nodens reads it itself from its mount`);
  }
  return {
    domain: domainOf(blocks),
    // The first of each zone.
    zones: [...new Map(zones.toReversed().map((one) => [one.zone, one])).values()].toReversed(),
    ...readHosts(root, data, notes),
    rewrites: await Promise.all(linesOf(root, "rewrite").map(readRewrite)),
    upstreams: kube.find(({ upstreams }) => upstreams !== null)?.upstreams ?? readUpstreams(root),
    notes,
  };
}

/** All keys as files. CoreDNS's Corefile precedes others. */
function dataOf(maps: readonly ConfigMap[], notes: string[]): ReadonlyMap<string, string> {
  const data = new Map(maps.toReversed().flatMap((map) => [...map.data]));
  const mains = maps.filter((map) => map.data.has(COREFILE));
  const main = mains.find(({ name }) => name === "coredns") ?? mains[0];
  if (main !== undefined) data.set(COREFILE, main.data.get(COREFILE)!);
  for (const { name } of mains.filter((map) => map !== main)) {
    notes.push(`the Corefile of the ConfigMap ${name} is left out: ${main!.name} has one`);
  }
  return data;
}

/** First forward zone of Kubernetes. */
function domainOf(blocks: readonly Block[]): string | null {
  return blocks.flatMap((block) => linesOf(block, "kubernetes"))
    .flatMap(({ words }) => words.slice(1).flatMap(({ text }) => zonesOf(text, 53)))
    .map(({ zone }) => zone).find((zone) => zone !== "." && !zone.endsWith(".arpa.")) ?? null;
}

function readCluster(data: ReadonlyMap<string, string>, notes: string[]): Block[] {
  const custom = [...data.keys()].filter((key) => /\.(override|server)$/.test(key));
  const text = data.get(COREFILE) ?? (custom.length > 0 ? CUSTOM_ALONE : null);
  if (text === null) return [];
  const faults = new Faults();
  const view = viewOf(data);
  let read: ReturnType<typeof readBlocks> = { blocks: [], files: [] };
  try {
    const source = { file: COREFILE, text, view };
    read = readBlocks(source, { port: null, defaultPort: 53 }, faults);
  } catch (error) {
    if (!(error instanceof TooManyFaults)) throw error;
  }
  if (!faults.empty) throw faults.toErrors();
  // Unmatched imports and unset variables, of given files only.
  if (data.has(COREFILE)) notes.push(...faults.warnings);
  const imported = new Set(read.files.map((file) => basename(file)));
  for (const key of custom) {
    if (!imported.has(key)) notes.push(`${key} is not imported by the Corefile`);
  }
  return read.blocks;
}

/** Finds files by their last name: mount points differ. */
function viewOf(data: ReadonlyMap<string, string>): HostView {
  return {
    env: () => undefined,
    readTextFile: (path) => data.get(basename(path)) ?? "nameserver 192.0.2.53\n",
    kindOf: (path) => data.has(basename(path)) || path === "/etc/resolv.conf" ? "file" : null,
    readDirectory: () => [...data.keys()].filter((key) => key !== COREFILE).sort(),
    absolute: (path) => path.startsWith("/") ? path : `${DIRECTORY}/${path}`,
    hostname: () => "node",
    interfaces: () => [],
  };
}

async function stubZones(block: Block): Promise<StubZone[]> {
  const own = block.lines.filter(({ words }) => !OWN.includes(words[0].text));
  const portable = own.every(({ words }) => PORTABLE.includes(words[0].text));
  const forward = linesOf(block, "forward")[0] ?? null;
  const lines = portable && forward !== null && await refusal(own) === null ? own : null;
  return block.zones.map((zone) => ({
    ...{ zone, lines, where: placeOf(block) },
    servers: serversOf(forward),
  }));
}

function forwardedZones(line: Line): StubZone[] {
  const from = line.words[1];
  if (from === undefined) return [];
  const words: Line["words"] = [line.words[0], { ...from, text: "." }, ...line.words.slice(2)];
  return zonesOf(from.text, 53).filter(({ zone }) => zone !== ".").map(({ zone }) => ({
    ...{ zone, lines: [{ ...line, words }], where: placeOf(from) },
    servers: serversOf(line),
  }));
}

async function refusal(lines: readonly Line[]): Promise<string | null> {
  const text = `. {\n${lines.flatMap((line) => lineText(line, "")).join("\n")}\n}\n`;
  try {
    await readConfig({ file: COREFILE, text, defaultPort: 53 }, viewOf(new Map()));
    return null;
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof AggregateError)) throw error;
    return error.message.split("\n")[0]!.replace(/^Corefile:[0-9]+: /, "");
  }
}

function readHosts(
  root: Block | null,
  data: ReadonlyMap<string, string>,
  notes: string[],
): Pick<Inherited, "hosts" | "hostsTtl"> {
  const hosts: HostEntry[] = [];
  const [line] = linesOf(root, "hosts");
  if (line === undefined) return { hosts, hostsTtl: null };
  const [{ file: from, line: number }, file, ...zoneWords] = line.words;
  const zones = zoneWords.flatMap(({ text }) => zonesOf(text, 53)).map(({ zone }) => zone);
  const add = (words: readonly string[], where: string) => {
    const [address = "", ...names] = words;
    if (parseAddress(address) === null) return;
    for (const name of names) {
      const zone = zoneOf(name);
      if (zone === null || zone === "." || name.startsWith("*")) continue;
      if (zones.length > 0 && !zones.some((one) => isWithin(zone, one))) continue;
      hosts.push({ name: zone, address, where });
    }
  };
  if (file !== undefined) {
    const text = data.get(basename(file.text));
    if (text !== undefined) {
      text.split("\n").forEach((one, i) =>
        add(one.replace(/#.*/, "").trim().split(/\s+/), `${basename(file.text)}:${i + 1}`)
      );
    } else if (file.text !== "/etc/hosts") {
      const where = placeOf({ file: from, line: number });
      notes.push(`${where}: ${file.text} is not in these ConfigMaps, so its names are left out`);
    }
  }
  for (const { words } of line.block ?? []) {
    add(words.map(({ text }) => text), placeOf(words[0]));
  }
  const ttl = line.block?.find(({ words }) => words[0].text === "ttl")?.words[1]?.text;
  return { hosts, hostsTtl: ttl !== undefined && /^[0-9]+$/.test(ttl) ? ttl : null };
}

async function readRewrite(line: Line): Promise<Rewrite> {
  const words = [line, ...line.block ?? []]
    .map((one) => one.words.map(({ text }) => text).filter((text) => text !== "rewrite"))
    .map((texts) => /^(continue|stop)$/.test(texts[0] ?? "") ? texts.slice(1) : texts)
    .find(([first]) => first === "name") ?? [];
  const hasKind = REWRITE_KINDS.includes(words[1] ?? "");
  const kind = hasKind ? words[1] : "exact";
  const from = words[hasKind ? 2 : 1];
  const anchored = from !== undefined && (kind === "exact" || kind === "suffix");
  return {
    line,
    where: placeOf(line.words[0]),
    zone: anchored ? zoneOf(from.replace(/^\./, "")) : null,
    refused: await refusal([line]),
  };
}

function readUpstreams(root: Block | null): Inherited["upstreams"] {
  const line = linesOf(root, "forward").find(({ words }) => words[1]?.text === ".");
  const servers = serversOf(line ?? null);
  if (line === undefined || servers.some((server) => server.startsWith("/"))) return null;
  return { servers, where: placeOf(line.words[0]), line };
}

function readKubeDns({ name, data }: ConfigMap) {
  const { config, faults } = parseKubeDnsConfig({
    stubDomains: data.get("stubDomains") ?? null,
    upstreamNameservers: data.get("upstreamNameservers") ?? null,
  }, name);
  if (config === null) throw new SyntaxError(faults.join("\n"));
  const zones = config.stubDomains.map(({ name: zone, servers }): StubZone => {
    const where = `${name}/stubDomains`;
    const words = ["forward", ".", ...servers]
      .map((text) => ({ file: where, line: 1, text, quoted: false, first: false }));
    const lines = [{ words: words as unknown as Line["words"], block: null }];
    return { zone: zoneOf(zone) ?? ".", where, servers, lines };
  });
  const servers = config.upstreamNameservers;
  const where = `${name}/upstreamNameservers`;
  return { zones, upstreams: servers.length === 0 ? null : { servers, where, line: null } };
}

function placeOf({ file, line }: { file: string; line: number }): string {
  return `${basename(file)}:${line}`;
}
