import {
  type TopCount,
  type TopLists,
  type TopQuantiles,
  type TopSnapshot,
  type TopUpstream,
} from "../../control/observe/top_snapshot.ts";
import type { ListName } from "../../engine/observe/requests.ts";

/** Room for a snapshot. */
export interface ScreenSize {
  columns: number;
  rows: number;
}

/** Upstreams on a screen: most nodes have fewer. */
const MAX_UPSTREAMS = 3;
/** Head, and at least this many entries of a list. */
const LEAST_ENTRIES = 2;

/** Fits a snapshot on a screen; without rows, everything is shown. */
export function topText(
  snapshot: TopSnapshot,
  { lists, size }: { lists: readonly ListName[]; size: ScreenSize | null },
): string[] {
  const columns = size?.columns ?? Infinity;
  const head = [...summary(snapshot), "", ...upstreamLines(snapshot.upstreams, size !== null)];
  const left = size === null ? Infinity : size.rows - head.length;
  const tables = snapshot.lists === null
    ? [["", "No lists: this nodens was started with -top off."]]
    : chooseTables(snapshot.lists, lists, left);
  const lines = [...head, ...tables.flat()].map((line) => line.slice(0, columns - 1).trimEnd());
  return size === null ? lines : lines.slice(0, size.rows);
}

/** Default lists of a screen. */
export const SCREEN_LISTS: readonly ListName[] = ["names", "clients"];

function summary({ version, pid, at, rates, latency, caches, dataPlanes, lists }: TopSnapshot) {
  const { answers, bySource, byRcode, hitRatio } = rates;
  const share = (perSecond: number) => answers === 0 ? "" : ` ${percent(perSecond / answers)}`;
  const sources = bySource.map(({ source, perSecond }) => `${source}${share(perSecond)}`);
  const rcodes = byRcode?.map(({ rcode, perSecond }) => `${rcode} ${rateText(perSecond)}`) ?? [];
  const entries = caches.reduce(
    (sum, { success, denial }) => sum + success.entries + denial.entries,
    0,
  );
  const bytes = caches.reduce((sum, cache) => sum + cache.bytes, 0);
  const silent = dataPlanes.running - dataPlanes.answered;
  const lines = [
    `nodens ${version}, process ${pid}, ${at.slice(0, 19).replace("T", " ")} UTC` +
    (silent === 0 ? "" : `, ${silent} OF ${dataPlanes.running} DATA PLANES DO NOT ANSWER`),
    `Answers: ${rateText(answers)}/s over ${secondsText(rates.seconds)}` +
    (sources.length === 0 ? "" : `: ${sources.join(", ")}`),
    `Cache: hits ${hitRatio === null ? "-" : percent(hitRatio)}, ${entries} entries, ` +
    `${(bytes / 2 ** 20).toFixed(1)} MiB`,
  ];
  if (rcodes.length > 0) lines.splice(2, 0, `Rcodes/s: ${rcodes.join(", ")}`);
  if (latency !== null) {
    const { all, waited, seconds } = latency;
    lines.push(`Latency (${secondsText(seconds)}): ${quantileText(all)}`);
    if (waited.p50 !== null) lines.push(`  of those that waited: ${quantileText(waited)}`);
  }
  if (lists !== null && lists.sampledEvery > 1) {
    lines.push(`Lists: one query of ${lists.sampledEvery} is counted, for all of them`);
  }
  return lines;
}

function upstreamLines(upstreams: readonly TopUpstream[], cut: boolean): string[] {
  if (upstreams.length === 0) return [];
  const rate = (perSecond: number | null) => perSecond === null ? "-" : rateText(perSecond);
  const shown = cut && upstreams.length > MAX_UPSTREAMS
    ? [...upstreams].sort((a, b) => (b.repliesPerSecond ?? 0) - (a.repliesPerSecond ?? 0))
      .slice(0, MAX_UPSTREAMS)
    : upstreams;
  const rows = shown.map(({ to, state, rttMs, repliesPerSecond, failuresPerSecond }) => [
    ...[rate(repliesPerSecond), rate(failuresPerSecond), rttMs === null ? "-" : msText(rttMs)],
    ...[state, to],
  ]);
  const more = upstreams.length - shown.length;
  const lines = table(["REPLIES/S", "FAILED/S", "RTT", "STATE", "UPSTREAM"], rows, 3);
  return more === 0 ? lines : [...lines, `(and ${more} more)`];
}

function chooseTables(lists: TopLists, wanted: readonly ListName[], left: number): string[][] {
  const tables = wanted.map((name) => ["", ...TABLES[name](lists)]);
  if (left === Infinity) return tables;
  const fit = Math.max(1, Math.min(tables.length, Math.floor(left / (2 + LEAST_ENTRIES))));
  const shown = tables.slice(0, fit);
  const each = Math.floor(left / fit);
  // Long lists get spare rows.
  const spare = shown.reduce((sum, { length }) => sum + Math.max(0, each - length), 0);
  return shown.map((lines) => lines.slice(0, each + spare));
}

type Table = (lists: TopLists) => string[];

const TABLES: Readonly<Record<ListName, Table>> = {
  names: ({ names, seconds }) =>
    counts(
      `NAME (${secondsText(seconds)})`,
      names.map((one) => ({ ...one, text: `${one.type.padEnd(5)} ${one.name}` })),
    ),
  clients: ({ clients, seconds }) =>
    counts(
      `CLIENT (${secondsText(seconds)})`,
      clients.map((one) => ({
        ...one,
        text: one.name === null ? one.address : `${one.address} ${one.name}`,
      })),
    ),
  zones: ({ zones, seconds }) =>
    counts(`ZONE (${secondsText(seconds)})`, zones.map((one) => ({ ...one, text: one.zone }))),
  failures: ({ failures, seconds }) =>
    counts(
      `FAILURE (${secondsText(seconds)})`,
      failures.map((one) => ({
        ...one,
        text: `${one.rcode} ${one.type} ${one.name}${one.reason === "" ? "" : `: ${one.reason}`}`,
      })),
    ),
  slow: ({ slow, seconds }) =>
    table(
      ["WAITED", `SLOW (${secondsText(seconds)})`],
      slow.map((one) => [
        msText(one.waitedMs),
        `${one.rcode} ${one.type} ${one.name} for ${one.clientName ?? (one.client || "-")}${
          one.upstream === "" ? "" : ` from ${one.upstream}`
        }`,
      ]),
      1,
    ),
};

function counts(head: string, rows: readonly (TopCount & { text: string })[]): string[] {
  const cells = rows.map(({ queries, uncertain, perSecond, text }) => [
    uncertain === 0 ? String(queries) : `${queries}+`,
    rateText(perSecond),
    text,
  ]);
  return table(["QUERIES", "/S", head], cells, 2);
}

/** `numbers`: right-aligned columns. */
function table(heads: readonly string[], rows: readonly string[][], numbers: number): string[] {
  const all = [heads, ...rows];
  const widths = heads.map((_, i) => Math.max(...all.map((row) => row[i]!.length)));
  return all.map((row) =>
    row.map((cell, i) => i < numbers ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!))
      .join("  ").trimEnd()
  );
}

function rateText(perSecond: number): string {
  return perSecond >= 100 || perSecond === 0 ? perSecond.toFixed(0) : perSecond.toFixed(1);
}

function quantileText({ p50, p95, p99 }: TopQuantiles): string {
  if (p50 === null) return "-";
  return `p50 ${msText(p50)}, p95 ${msText(p95!)}, p99 ${msText(p99!)}`;
}

function msText(ms: number): string {
  return ms >= 100 || ms === 0 ? `${ms.toFixed(0)} ms` : `${ms.toFixed(1)} ms`;
}

function secondsText(seconds: number): string {
  return seconds >= 120 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds)} s`;
}

function percent(part: number): string {
  return `${(100 * part).toFixed(1)} %`;
}
