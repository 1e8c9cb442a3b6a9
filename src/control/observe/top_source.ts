import { type Clock, systemClock } from "../../base/clock.ts";
import { latencyQuantile } from "../../engine/observe/latency.ts";
import type { ListName, ListReply, ListSpan, TallyReply } from "../../engine/observe/requests.ts";
import { type NameClient, secondsOf, TOP_ENTRIES } from "./lists.ts";
import { askPlanes, type ObservedPlane, present, printable } from "./plane.ts";
import {
  DEFAULT_TOP,
  type TopLatency,
  type TopLists,
  type TopQuantiles,
  type TopQuery,
  type TopSnapshot,
  type TopUpstream,
} from "./top_snapshot.ts";
import { minuteStart, ratesBetween, sourceTotals, sumTallies, type Totals } from "./totals.ts";

/** Viewers share answers up to this age. */
const SHARED_MS = 400;
/** Age of the totals that rates start from. */
const RATE_MS = { min: 900, max: 10_000 } as const;
const MAX_HISTORY = 32;

interface CacheState {
  zones: string[];
  success: { entries: number; capacity: number };
  denial: { entries: number; capacity: number };
  bytes: number;
  capacityBytes: number | null;
}

interface UpstreamState {
  to: string;
  state: string;
  rttMs: number | null;
  replies: number;
  failures: number;
  /** Set by hand. */
  forced?: string | null;
}

/** Part of the status in a snapshot. */
export interface TopStatus {
  version: string;
  pid: number;
  uptimeSeconds: number;
  blocks: readonly {
    cache: CacheState | null;
    forwards: readonly { upstreams: readonly UpstreamState[] }[];
  }[];
}

/** Makes snapshots. */
export class TopSource {
  readonly #planes: readonly ObservedPlane[];
  readonly #status: () => Promise<TopStatus>;
  readonly #nameClient: NameClient;
  readonly #clock: Clock;
  readonly #shared = new Map<string, { atMs: number; answer: Promise<unknown> }>();
  #history: Totals[] = [];

  constructor({ planes, status, nameClient = () => null, clock = systemClock }: {
    planes: readonly ObservedPlane[];
    status: () => Promise<TopStatus>;
    nameClient?: NameClient;
    clock?: Clock;
  }) {
    this.#planes = planes;
    this.#status = status;
    this.#nameClient = nameClient;
    this.#clock = clock;
  }

  async snapshot({ lists, span, n }: TopQuery = DEFAULT_TOP): Promise<TopSnapshot> {
    const [status, replies] = await Promise.all([
      this.#share("status", this.#status),
      this.#share("tallies", () => askPlanes<TallyReply>(this.#planes, { type: "tallies" })),
    ]);
    const tallies = present(replies);
    const nowMs = this.#clock.now();
    const now = this.#totals(status, tallies, nowMs);
    const recent = this.#recent(nowMs);
    const startMs = nowMs - Math.max(1, status.uptimeSeconds) * 1000;
    const before = recent ?? minuteStart(tallies, nowMs) ?? nothing(startMs);
    this.#remember(now);
    const { version, pid, uptimeSeconds, blocks } = status;
    return {
      version,
      pid,
      uptimeSeconds,
      at: new Date(this.#clock.wall()).toISOString(),
      dataPlanes: {
        running: this.#planes.length,
        answered: replies.filter((reply) => reply !== undefined).length,
      },
      rates: ratesBetween(before, now),
      latency: latencyOf(tallies),
      caches: blocks.flatMap(({ cache }) => cache ?? []).map(cacheOf),
      upstreams: upstreamsOf(status).map((state) => upstreamOf(state, { recent, now })),
      lists: tallies.length === 0 ? null : {
        ...await this.#lists(lists, span, n),
        sampledEvery: Math.max(...tallies.map(({ sampledEvery }) => sampledEvery)),
      },
    };
  }

  async #lists(
    wanted: readonly ListName[],
    span: ListSpan,
    n: number,
  ): Promise<Omit<TopLists, "sampledEvery">> {
    const replies = await Promise.all(wanted.map(async (list) => {
      const request = { type: "list", list, span } as const;
      const key = `${list} ${span}`;
      const all = await this.#share(key, () => askPlanes<ListReply>(this.#planes, request));
      return [list, present(all)] as const;
    }));
    const of = Object.fromEntries(replies) as Partial<Record<ListName, ListReply[]>>;
    return {
      span,
      seconds: secondsOf(replies.flatMap(([, all]) => all)),
      names: TOP_ENTRIES.names(of.names ?? [], n, this.#nameClient),
      clients: TOP_ENTRIES.clients(of.clients ?? [], n, this.#nameClient),
      zones: TOP_ENTRIES.zones(of.zones ?? [], n, this.#nameClient),
      failures: TOP_ENTRIES.failures(of.failures ?? [], n, this.#nameClient),
      slow: TOP_ENTRIES.slow(of.slow ?? [], n, this.#nameClient),
    };
  }

  #share<T>(key: string, ask: () => Promise<T>): Promise<T> {
    const nowMs = this.#clock.now();
    const known = this.#shared.get(key);
    if (known !== undefined && nowMs - known.atMs < SHARED_MS) return known.answer as Promise<T>;
    const answer = ask();
    this.#shared.set(key, { atMs: nowMs, answer });
    return answer;
  }

  #totals(status: TopStatus, tallies: readonly TallyReply[], atMs: number): Totals {
    const upstreams = upstreamsOf(status);
    const { rcodes } = sumTallies(tallies.map(({ now }) => now));
    return {
      atMs,
      sources: sourceTotals(this.#planes),
      rcodes: tallies.length === 0 ? null : rcodes,
      replies: new Map(upstreams.map(({ to, replies }) => [to, replies])),
      failures: new Map(upstreams.map(({ to, failures }) => [to, failures])),
    };
  }

  /** Newest totals that are old enough. */
  #recent(nowMs: number): Totals | null {
    return this.#history.findLast(({ atMs }) =>
      nowMs - atMs >= RATE_MS.min && nowMs - atMs <= RATE_MS.max
    ) ?? null;
  }

  #remember(totals: Totals): void {
    const last = this.#history.at(-1);
    if (last !== undefined && totals.atMs - last.atMs < SHARED_MS) return;
    this.#history = [...this.#history, totals].slice(-MAX_HISTORY);
  }
}

function nothing(atMs: number): Totals {
  const none = new Map<string, number>();
  return { atMs, sources: none, rcodes: null, replies: none, failures: none };
}

/** Servers may be in several blocks. */
function upstreamsOf({ blocks }: TopStatus): UpstreamState[] {
  const all = blocks.flatMap(({ forwards }) => forwards.flatMap(({ upstreams }) => upstreams));
  return [...new Map(all.map((state) => [state.to, state])).values()];
}

function upstreamOf(
  { to, state, rttMs, replies, failures, forced }: UpstreamState,
  { recent, now }: { recent: Totals | null; now: Totals },
): TopUpstream {
  const rate = (count: number, before: number | undefined) =>
    recent === null || before === undefined
      ? null
      : Math.max(0, count - before) / ((now.atMs - recent.atMs) / 1000);
  return {
    to: printable(to),
    state: forced ? `${state} (${forced} by hand)` : state,
    rttMs,
    repliesPerSecond: rate(replies, recent?.replies.get(to)),
    failuresPerSecond: rate(failures, recent?.failures.get(to)),
  };
}

function cacheOf({ zones, success, denial, bytes, capacityBytes }: CacheState): CacheState {
  return { zones, success, denial, bytes, capacityBytes };
}

function latencyOf(tallies: readonly TallyReply[]): TopLatency | null {
  if (tallies.length === 0) return null;
  const now = sumTallies(tallies.map((reply) => reply.now));
  const before = sumTallies(tallies.map((reply) => reply.before));
  const waited = now.waited.map((count, i) => count - before.waited[i]!);
  return {
    seconds: Math.max(...tallies.map(({ seconds }) => seconds)),
    all: quantiles(waited, now.immediate - before.immediate),
    waited: quantiles(waited, 0),
  };
}

function quantiles(counts: readonly number[], immediate: number): TopQuantiles {
  const of = (quantile: number) => latencyQuantile(counts, immediate, quantile);
  return { p50: of(0.5), p95: of(0.95), p99: of(0.99) };
}
