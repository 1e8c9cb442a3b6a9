import { HTTP, PLACES } from "./places.ts";

const SCRAPE_MS = 2_000;

/** Families that rise with every query and restart, and say nothing of an attack. */
const ORDINARY = new Set([
  "nodens_heartbeats_total",
  "nodens_queries_total",
  "nodens_forward_lookups_total",
  "nodens_upstream_replies_total",
]);

/** Counters of nodens by family, all series added up; empty if they cannot be read. */
export async function counters(): Promise<Record<string, number>> {
  try {
    const response = await fetch(`http://${PLACES.node}:${HTTP.metrics}/metrics`, {
      signal: AbortSignal.timeout(SCRAPE_MS),
    });
    return parseCounters(await response.text());
  } catch {
    return {};
  }
}

/** Reads the exposition format. */
export function parseCounters(text: string): Record<string, number> {
  const found: Record<string, number> = {};
  for (const [, family, value] of text.matchAll(/^(nodens_\w+_total)(?:\{.*\})? (\S+)$/gm)) {
    found[family!] = (found[family!] ?? 0) + Number(value);
  }
  return found;
}

/** Those that rose, by how much. */
export function risen(
  before: Readonly<Record<string, number>>,
  after: Readonly<Record<string, number>>,
): Record<string, number> {
  const rises = Object.entries(after).map(([family, value]) =>
    [family, value - (before[family] ?? 0)] as const
  );
  return Object.fromEntries(
    rises.filter(([family, rise]) => rise > 0 && !ORDINARY.has(family)),
  );
}
