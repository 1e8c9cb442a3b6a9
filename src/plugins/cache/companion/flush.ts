import { doneWithin } from "../../../base/deadline.ts";
import { systemClock } from "../../../base/clock.ts";
import type { Plane } from "../../companion.ts";
import { VERB_MS, type VerbCall, VerbError } from "../../verbs.ts";
import { type EntryChoice, EVERYTHING } from "../flush/entry_filter.ts";
import {
  type EntryCounts,
  type FlushBegun,
  type FlushReply,
  SCAN_START,
  type ScanCursor,
} from "../operator/requests.ts";
import type { CacheDirective } from "./persisted_cache.ts";
import {
  askCache,
  cachesFor,
  ofName,
  ofZone,
  readType,
  type VerbServices,
} from "./verb_targets.ts";

/** Left for files and the answer. */
const SAVE_MS = 4000;
const ANSWER_MS = 500;

/** Entries over all data planes. */
export interface Flushed extends EntryCounts {
  planes: number;
  /** Of the server blocks. */
  blocks: string[];
  /** An unwritten file still has what was flushed. */
  files: { path: string; written: boolean }[];
}

/** Forgets a name, a zone or everything. */
export async function flush(call: VerbCall, services: VerbServices): Promise<Flushed> {
  const startMs = systemClock.now();
  const choice = readChoice(call.parameters);
  const caches = cachesFor(call);
  const { planes, persistence } = services;
  const untilMs = startMs + VERB_MS - SAVE_MS;
  const sums = await flushAll(planes, caches, { choice, untilMs });
  const files = await Promise.all(caches.flatMap((cache) => {
    const path = cache.options.persist?.file;
    if (path === undefined) return [];
    const again = async () => void await flushAll(planes, [cache], { choice, untilMs: Infinity });
    const writing = persistence.rewrite(cache, again);
    return [(async () => {
      let written = false;
      const work = writing.then((done) => void (written = done));
      await doneWithin(work, startMs + VERB_MS - ANSWER_MS - systemClock.now());
      return { path, written };
    })()];
  }));
  return {
    ...sums,
    planes: planes.length,
    blocks: caches.map(({ zones }) => zones.join(" ")),
    files,
  };
}

function readChoice(parameters: ReadonlyMap<string, string>): EntryChoice {
  const [name, zone, all] = ["name", "zone", "all"].map((one) => parameters.get(one));
  if ([name, zone, all].filter((one) => one !== undefined).length !== 1) {
    throw new VerbError("flush needs one of name, zone and all");
  }
  const type = parameters.get("type");
  if (name !== undefined) return ofName(name, type);
  if (zone !== undefined) return ofZone(zone, type);
  if (all !== "true") throw new VerbError(`all is ${JSON.stringify(all)}; write true`);
  return { ...EVERYTHING, type: readType(type) };
}

interface Work {
  readonly choice: EntryChoice;
  readonly untilMs: number;
}

async function flushAll(
  planes: readonly Plane[],
  caches: readonly CacheDirective[],
  work: Work,
): Promise<EntryCounts> {
  const sums: EntryCounts = { answers: 0, denials: 0, failures: 0, stale: 0 };
  await Promise.all(planes.map(async (plane) => {
    for (const cache of caches) await flushOne(plane, cache, { ...work, sums });
  }));
  return sums;
}

async function flushOne(
  plane: Plane,
  cache: CacheDirective,
  { choice, untilMs, sums }: Work & { sums: EntryCounts },
): Promise<void> {
  // All go at once, after counting.
  const all = choice.name === null && choice.type < 0;
  const type = all ? "count" : "flush";
  if (!all) await askCache<FlushBegun>(plane, cache, { type: "begin flush", choice }, "begun");
  for (let from: ScanCursor | null = SCAN_START; from !== null;) {
    if (systemClock.now() > untilMs) {
      throw new VerbError("not all is flushed: it takes too long; ask again to go on", 503);
    }
    const { counts, next }: FlushReply = await askCache(
      plane,
      cache,
      { type, choice, from },
      "counts",
    );
    for (const kind of ["answers", "denials", "failures", "stale"] as const) {
      sums[kind] += counts[kind];
    }
    from = next;
  }
  if (all) await askCache<FlushBegun>(plane, cache, { type: "drop" }, "begun");
}
