import { RCODE_TALLIES } from "../../engine/observe/tallies.ts";
import type { Tally, TallyReply } from "../../engine/observe/requests.ts";
import type { ObservedPlane } from "./plane.ts";
import type { TopRates } from "./top_snapshot.ts";

/** Counts of all data planes. */
export interface Totals {
  /** Monotonic. */
  atMs: number;
  sources: ReadonlyMap<string, number>;
  /** Null if nothing is observed. */
  rcodes: readonly number[] | null;
  /** Replies and failures by server label. */
  replies: ReadonlyMap<string, number>;
  failures: ReadonlyMap<string, number>;
}

const ANSWERS = "nodens_answers_total";
const HITS = ["cache", "stale"];
const UPSTREAM = "upstream";

/** Answers by source, from shared memory. */
export function sourceTotals(planes: readonly ObservedPlane[]): Map<string, number> {
  const sums = new Map<string, number>();
  for (const { places, values } of planes) {
    for (const { name, labels, index } of places) {
      if (name !== ANSWERS) continue;
      const source = labels.source!;
      sums.set(source, (sums.get(source) ?? 0) + values[index]!);
    }
  }
  return sums;
}

/** Sums the data planes' counts. */
export function sumTallies(tallies: readonly Tally[]): Tally {
  const sum: Tally = { rcodes: [], immediate: 0, waited: [], sources: {} };
  for (const { rcodes, immediate, waited, sources } of tallies) {
    sum.immediate += immediate;
    rcodes.forEach((count, i) => sum.rcodes[i] = (sum.rcodes[i] ?? 0) + count);
    waited.forEach((count, i) => sum.waited[i] = (sum.waited[i] ?? 0) + count);
    for (const [source, count] of Object.entries(sources)) {
      sum.sources[source] = (sum.sources[source] ?? 0) + count;
    }
  }
  return sum;
}

/** Totals when the last whole minute began, or null. */
export function minuteStart(replies: readonly TallyReply[], nowMs: number): Totals | null {
  if (replies.length === 0) return null;
  const { sources, rcodes } = sumTallies(replies.map(({ before }) => before));
  const seconds = Math.max(...replies.map((reply) => reply.seconds));
  return {
    atMs: nowMs - seconds * 1000,
    sources: new Map(Object.entries(sources)),
    rcodes,
    replies: new Map(),
    failures: new Map(),
  };
}

/** Rates between two totals. */
export function ratesBetween(before: Totals, now: Totals): TopRates {
  const seconds = Math.max(1, (now.atMs - before.atMs) / 1000);
  const rate = (from: number, to: number) => Math.max(0, to - from) / seconds;
  const bySource = [...now.sources].map(([source, count]) => ({
    source,
    perSecond: rate(before.sources.get(source) ?? 0, count),
  }));
  const sum = (wanted: (source: string) => boolean) =>
    bySource.reduce((all, { source, perSecond }) => wanted(source) ? all + perSecond : all, 0);
  const hits = sum((source) => HITS.includes(source));
  const asked = hits + sum((source) => source === UPSTREAM);
  const byRcode = now.rcodes?.map((count, i) => ({
    rcode: RCODE_TALLIES[i]!,
    perSecond: rate(before.rcodes?.[i] ?? 0, count),
  })) ?? null;
  return {
    seconds,
    answers: sum(() => true),
    bySource: largestFirst(bySource),
    byRcode: byRcode && largestFirst(byRcode),
    hitRatio: asked === 0 ? null : hits / asked,
  };
}

function largestFirst<T extends { perSecond: number }>(rates: readonly T[]): T[] {
  return rates.filter(({ perSecond }) => perSecond > 0).sort((a, b) => b.perSecond - a.perSecond);
}
