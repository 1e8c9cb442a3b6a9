import { HTTP, PLACES } from "./places.ts";

const SCRAPE_MS = 2_000;

/** Families that rise with every query and restart. */
const ORDINARY = new Set([
  "nodens_heartbeats_total",
  "nodens_queries_total",
  "nodens_forward_lookups_total",
  "nodens_upstream_replies_total",
]);

/** nodens's counters by family, series added up; empty if they are unreadable. */
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

export function parseCounters(text: string): Record<string, number> {
  const found: Record<string, number> = {};
  for (const [, family, value] of text.matchAll(/^(nodens_\w+_total)(?:\{.*\})? (\S+)$/gm)) {
    found[family!] = (found[family!] ?? 0) + Number(value);
  }
  return found;
}

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
