import { parseZoneKey } from "../config/zone_key.ts";
import type { Faults, Place } from "../corefile/error.ts";
import type { ImportView } from "../corefile/import_paths.ts";
import { type Line, parseCorefile } from "../corefile/parser.ts";
import { isWithin, normalizeZone } from "../dns/zone.ts";

/** Server block, and the zones of its port. */
export interface Block extends Place {
  readonly zones: readonly string[];
  readonly lines: readonly Line[];
}

/**
 * Server blocks of a port, by default the first catch-all block's. Unreadable keys have no zones.
 */
export function readBlocks(
  source: { file: string; text: string; view: ImportView },
  { port, defaultPort }: { port: number | null; defaultPort: number },
  faults: Faults,
): { blocks: Block[]; files: string[] } {
  const { blocks, files } = parseCorefile(source, faults);
  const keys = blocks.map((block) => block.keys.flatMap(({ text }) => zonesOf(text, defaultPort)));
  const served = port ?? keys.flat().find(({ zone }) => zone === ".")?.port ?? defaultPort;
  return {
    blocks: blocks.map(({ file, line, lines }, i) => ({
      ...{ file, line, lines },
      zones: keys[i]!.filter((key) => key.port === served).map(({ zone }) => zone),
    })),
    files,
  };
}

/** Zones and ports of a key; none if unreadable. */
export function zonesOf(key: string, defaultPort: number): { zone: string; port: number }[] {
  try {
    return parseZoneKey(key, defaultPort);
  } catch {
    return [];
  }
}

/** The block that answers for a name. */
export function blockFor(blocks: readonly Block[], name: string): Block | null {
  const found = blocks.flatMap((block) =>
    block.zones.filter((zone) => isWithin(name, zone)).map((zone) => ({ block, zone }))
  );
  return found.toSorted((a, b) => b.zone.length - a.zone.length)[0]?.block ?? null;
}

/** First `forward` of a block that accepts a name. */
export function forwardFor(block: Block | null, name: string): Line | null {
  return linesOf(block, "forward").find(({ words }) =>
    zonesOf(words[1]?.text ?? "", 53).some(({ zone }) => isWithin(name, zone))
  ) ?? null;
}

/** Servers of a `forward`. */
export function serversOf(forward: Line | null): string[] {
  return forward === null ? [] : forward.words.slice(2).map(({ text }) => text);
}

/** A block's directives with these names. */
export function linesOf(block: Block | null, ...names: readonly string[]): Line[] {
  return (block?.lines ?? []).filter(({ words }) => names.includes(words[0].text));
}

/** A normalized name or zone, or null. */
export function zoneOf(text: string): string | null {
  try {
    return normalizeZone(text);
  } catch {
    return null;
  }
}

/** A zone for display. */
export function shortZone(zone: string): string {
  return zone.replace(/(?<=.)\.$/, "");
}

/** A directive's lines, indented. */
export function lineText({ words, block }: Line, indent: string): string[] {
  const head = indent + words.map(wordText).join(" ");
  if (block === null) return [head];
  return [`${head} {`, ...block.flatMap((one) => lineText(one, `${indent}    `)), `${indent}}`];
}

function wordText({ text, quoted }: { text: string; quoted: boolean }): string {
  const plain = !quoted && text !== "" && !/[\s"#]/.test(text) && text !== "{" && text !== "}";
  return plain ? text : `"${text.replaceAll('"', '\\"')}"`;
}
