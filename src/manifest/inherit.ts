import { CorefileErrors } from "../corefile/error.ts";
import type { Inherited } from "../inherit/cluster.ts";
import { compare, type Missing } from "../inherit/compare.ts";
import { applyEdits, type Edit } from "../inherit/edits.ts";
import { fillTemplate } from "../node/template/template.ts";
import { CLUSTER_DNS, podView } from "./check.ts";
import {
  DEFAULT_NODE,
  type NodeArguments,
  type ReadArguments,
  STAND_IN,
} from "./check_arguments.ts";
import { type ConfigText, type NodeContainer, readManifest } from "./documents.ts";

/** A completed manifest. */
export interface InheritResult {
  readonly text: string;
  readonly missing: readonly Missing[];
}

interface InheritOptions {
  readonly domain: string;
  readonly readArguments: ReadArguments;
}

/** Brings over what a manifest's Corefiles lack. */
export function inheritInto(
  text: string,
  inherited: Inherited,
  { domain, readArguments }: InheritOptions,
): InheritResult {
  const { containers, configTexts } = readManifest(text);
  const found = new Map<ConfigText, { container: NodeContainer | null; node: NodeArguments }>();
  for (const container of containers) {
    const node = argumentsOf(container, readArguments);
    const corefile = container.files.get(node.baseFile) ?? container.files.get(node.target);
    if (corefile !== undefined) found.set(corefile, { container, node });
  }
  if (containers.length === 0) {
    for (const one of configTexts.filter(({ key }) => key === "Corefile")) {
      found.set(one, { container: null, node: DEFAULT_NODE });
    }
  }
  const missing: Missing[] = [];
  let changed = text;
  // Backwards, to keep offsets valid.
  const corefiles = [...found].sort(([a], [b]) => b.start - a.start);
  for (const [corefile, { container, node }] of corefiles) {
    const filled = fill(corefile.text, node, domain);
    if (filled === null) continue;
    const view = podView(container?.files ?? new Map(), {
      corefile: { name: "Corefile", path: node.target },
      env: container?.env ?? new Map(),
    });
    const difference = compare(inherited, {
      ...{ text: corefile.text, filled, file: "Corefile", view, port: node.dnsPort },
      domain: node.domain ?? domain,
    });
    const { literal, start, end } = corefile;
    const left = "the Corefile is not a literal block (write it under Corefile: |)";
    missing.push(...difference.missing.map((one) => literal ? one : { ...one, left }));
    if (!literal) continue;
    changed = changed.slice(0, start) + editLiteral(changed.slice(start, end), difference.edits) +
      changed.slice(end);
  }
  return { text: changed, missing };
}

function argumentsOf({ command, args }: NodeContainer, read: ReadArguments): NodeArguments {
  try {
    return read([...command.slice(1), ...args].map(({ text }) => text));
  } catch {
    // The check reports it.
    return DEFAULT_NODE;
  }
}

function fill(text: string, node: NodeArguments, domain: string): string | null {
  try {
    return fillTemplate(text, {
      ...{ file: "Corefile", upstreamNameservers: [], stubDomains: [] },
      localIps: node.localIps.length > 0 ? node.localIps : [STAND_IN],
      clusterDns: { address: CLUSTER_DNS },
      domain: node.domain ?? domain,
      metricsEndpoint: node.metricsEndpoint,
      dnsPort: node.dnsPort,
    }).text;
  } catch (error) {
    if (!(error instanceof CorefileErrors)) throw error;
    return null;
  }
}

/** A block has a header, then indented lines. */
function editLiteral(block: string, edits: readonly Edit[]): string {
  if (edits.length === 0) return block;
  const [header = "", ...lines] = block.split("\n");
  const body = lines.join("\n");
  const newline = header.endsWith("\r") ? "\r" : "";
  const indent = /^ +(?=\S)/m.exec(body)?.[0] ?? "";
  // Trailing blank lines stay outside.
  const [, kept = "", tail = ""] = /^([\s\S]*?)(\n\s*)?$/.exec(body) ?? [];
  const plain = kept.split("\n").map((line) =>
    (line.startsWith(indent) ? line.slice(indent.length) : line.trim()).replace(/\r$/, "")
  );
  const edited = applyEdits(plain.join("\n"), edits).replace(/\n$/, "").split("\n")
    .map((line) => line === "" ? newline : indent + line + newline);
  return [header, edited.join("\n")].join("\n") + tail;
}
