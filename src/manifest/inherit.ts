import { CorefileErrors } from "../corefile/error.ts";
import type { Inherited } from "../inherit/cluster.ts";
import { compare, type Missing } from "../inherit/compare.ts";
import { applyEdits, type Edit } from "../inherit/edits.ts";
import { DEFAULT_NODE, type NodeArguments, type ReadArguments } from "./check_arguments.ts";
import { type NodeContainer, readManifest } from "./documents.ts";
import { fillServed, findServed, podView } from "./served.ts";

interface InheritResult {
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
  const served = findServed(readManifest(text), (one) => argumentsOf(one, readArguments));
  const missing: Missing[] = [];
  let changed = text;
  // Backwards, to keep offsets valid.
  const corefiles = [...new Map(served.map((one) => [one.corefile, one])).values()]
    .flatMap(({ corefile, ...more }) => corefile === null ? [] : [{ ...more, corefile }])
    .sort((a, b) => b.corefile.start - a.corefile.start);
  for (const one of corefiles) {
    const { corefile, node } = one;
    const source = { file: "Corefile", domain: node.domain ?? domain };
    const filled = fill(corefile.text, node, source);
    if (filled === null) continue;
    const view = podView(one, source.file);
    const difference = compare(inherited, {
      ...{ ...source, text: corefile.text, filled, view, port: node.dnsPort },
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
    return DEFAULT_NODE;
  }
}

function fill(...served: Parameters<typeof fillServed>): string | null {
  try {
    return fillServed(...served);
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
