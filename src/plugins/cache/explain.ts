import { EDE, RCODE } from "../../dns/constants.ts";
import type { Exchange } from "../../engine/exchange/exchange.ts";
import type { Explanation } from "../../engine/explanation.ts";
import type { ZoneTable } from "../../engine/question/zones.ts";
import type { CacheContent } from "./content.ts";
import type { CacheOptions, ServeStaleOptions } from "./options.ts";
import { PINNED_TTL_SECONDS } from "./stale.ts";
import type { Store } from "./store/store.ts";

/** State of a cache. */
export interface CacheView {
  readonly options: CacheOptions;
  readonly content: CacheContent;
  /** Of the stores. */
  readonly now: number;
  readonly inZones: boolean;
  readonly disabled: Readonly<Record<"success" | "denial", ZoneTable<true>>>;
  /** A refresh of the entry is awaited. */
  readonly verifying: boolean;
  /** Of a denial by `search_cut`, or 0. */
  readonly cutSeconds: number;
}

interface Found {
  readonly store: Store;
  readonly row: number;
}

/** A cache's entries for a query, and their use. */
export function explainCache(exchange: Exchange, view: CacheView): Explanation {
  const { content, options, now, inZones } = view;
  if (!inZones) {
    return {
      verdict: "passes",
      reason: `the name is in none of its zones (${options.zones.join(" ")})`,
    };
  }
  const { success, denial, failures } = content;
  const positive = { store: success, row: success.find(exchange, now) };
  if (isFresh(positive, now) && !content.deniesCloser(exchange, positive.row, now)) {
    return explainFresh(exchange, positive, view);
  }
  if (content.prefersPositive && content.isPositive(positive.row, now)) {
    return explainStale(exchange, positive, view);
  }
  const negative = { store: denial, row: denial.find(exchange, now) };
  if (isFresh(negative, now)) return explainFresh(exchange, negative, view);
  const store = content.findStale(exchange, now);
  const stale = store && { store, row: content.staleRow };
  const isPinned = stale !== null && stale.store.isPinned(stale.row);
  if (view.cutSeconds > 0 && (stale === null || (stale.store === denial && !isPinned))) {
    return explainCut(exchange, view);
  }
  if (stale !== null && isPinned) return explainPinned(exchange, stale, view);
  if (stale !== null) return explainStale(exchange, stale, view);
  const failure = { store: failures, row: failures.find(exchange, now) };
  if (isFresh(failure, now)) return explainFailure(exchange, failure, view);
  const expired = [positive, negative].find(({ row }) => row >= 0);
  return explainMiss(exchange, expired, view);
}

function isFresh({ store, row }: Found, now: number): boolean {
  return row >= 0 && store.remaining(row, now) > 0;
}

function explainFresh(exchange: Exchange, found: Found, view: CacheView): Explanation {
  const { content, options: { prefetch, keepTtl }, now } = view;
  const { store, row } = found;
  const remaining = store.remaining(row, now);
  content.answerFor(exchange, store, row, remaining);
  const what = store === content.success ? "has it" : `has its denial${deniedText(exchange)}`;
  const ttl = keepTtl ? `, shown as ${store.ttlOf(row)} s (keepttl)` : "";
  const due = prefetch.amount > 0 &&
    remaining <= Math.ceil(prefetch.percentage / 100 * store.ttlOf(row));
  return {
    verdict: "answers",
    reason: `${what}, for ${remaining} s more${ttl}${sourceText(found, view)}`,
    notes: due
      ? [
        `it is refreshed behind the answer once it is asked for ${prefetch.amount} times (prefetch)`,
      ]
      : [],
    details: detailsOf(store === content.success ? "fresh" : "denied", found, view),
  };
}

function explainStale(exchange: Exchange, found: Found, view: CacheView): Explanation {
  const { content, options, now, verifying } = view;
  const { store, row } = found;
  const serveStale = options.serveStale!;
  const expired = -store.remaining(row, now);
  const left = content.staleSeconds - expired;
  const what = `has it stale: expired ${expired} s ago, good for ${left} s more${
    sourceText(found, view)
  }`;
  const details = detailsOf("stale", found, view);
  const mayRefresh = store.mayRefresh(row, now);
  if (serveStale.mode === "verify" && (mayRefresh || verifying)) {
    const until = serveStale.verifyTimeoutMs === 0
      ? "if no good answer comes"
      : `after ${serveStale.verifyTimeoutMs} ms without an answer`;
    const joined = verifying ? "; others wait for the same" : "";
    const reason = `${what}; it asks first, and serves it ${until} (serve_stale verify)${joined}`;
    return { verdict: "passes", reason, details };
  }
  answerStale(exchange, found, { content, serveStale, keepTtl: options.keepTtl });
  return mayRefresh
    ? {
      verdict: "answers",
      reason: `${what}; it is refreshed behind the answer (serve_stale)`,
      details,
      refreshes: true,
    }
    : {
      verdict: "answers",
      reason: `${what}; a refresh is under way or has just failed (serve_stale)`,
      details,
    };
}

/** `PinnedNames` refreshes it. */
function explainPinned(exchange: Exchange, found: Found, view: CacheView): Explanation {
  const { content, options: { serveStale }, now } = view;
  const { store, row } = found;
  const ttlSeconds = serveStale?.responseTtlSeconds ?? PINNED_TTL_SECONDS;
  content.answer(exchange, store, row, Math.min(ttlSeconds, store.ttlOf(row)));
  exchange.extendedError = staleError(exchange);
  const expired = -store.remaining(row, now);
  return {
    verdict: "answers",
    reason: `keeps it: expired ${expired} s ago, good until an upstream answers${
      sourceText(found, view)
    } (keep)`,
    details: detailsOf("stale", found, view),
  };
}

function explainCut(exchange: Exchange, { cutSeconds }: CacheView): Explanation {
  exchange.extendedError = EDE.SYNTHESIZED;
  return {
    verdict: "answers",
    reason: `denies it, for ${cutSeconds} s more: a name above it does not exist (search_cut)`,
    details: { state: "denied", ttlSeconds: cutSeconds },
  };
}

function answerStale(
  exchange: Exchange,
  { store, row }: Found,
  { content, serveStale, keepTtl }: {
    content: CacheContent;
    serveStale: ServeStaleOptions;
    keepTtl: boolean;
  },
): void {
  const { responseTtlSeconds } = serveStale;
  const own = store.ttlOf(row);
  const limited = responseTtlSeconds > 0 || !keepTtl;
  content.answer(exchange, store, row, limited ? Math.min(responseTtlSeconds, own) : own);
  exchange.extendedError = staleError(exchange);
}

function staleError({ response }: Exchange): number {
  return response!.rcode === RCODE.NXDOMAIN ? EDE.STALE_NXDOMAIN : EDE.STALE;
}

function explainFailure(exchange: Exchange, found: Found, view: CacheView): Explanation {
  const { content, now } = view;
  const remaining = found.store.remaining(found.row, now);
  exchange.extendedError = EDE.CACHED_ERROR;
  content.answer(exchange, found.store, found.row, remaining);
  return {
    verdict: "refuses",
    reason: `remembers a failure, for ${remaining} s more (servfail)`,
    details: detailsOf("failure", found, view),
  };
}

function explainMiss(exchange: Exchange, expired: Found | undefined, view: CacheView): Explanation {
  const { now } = view;
  const state = expired === undefined
    ? "does not have it"
    : `has it no more: expired ${-expired.store.remaining(expired.row, now)} s ago`;
  return {
    verdict: "passes",
    reason: `${state}; ${storageText(exchange, view)}`,
    details: { state: expired === undefined ? "none" : "expired" },
  };
}

function storageText(exchange: Exchange, { options: { success, denial }, disabled }: CacheView) {
  if (!exchange.recursionDesired) return "the answer is not stored, because the query has no RD";
  const kept = [
    ...disabled.success.match(exchange) === null
      ? [`success at most ${success.maxTtlSeconds} s`]
      : [],
    ...disabled.denial.match(exchange) === null ? [`denial at most ${denial.maxTtlSeconds} s`] : [],
  ];
  return kept.length === 0
    ? "the answer is not stored (disable)"
    : `the answer is stored: ${kept.join(", ")}`;
}

function deniedText({ response }: Exchange): string {
  return response!.rcode === RCODE.NXDOMAIN ? " (NXDOMAIN)" : " (no such type)";
}

function sourceText({ store, row }: Found, { content }: CacheView): string {
  const source = content.upstreams.list[store.sourceOf(row)] ?? "";
  return source === "" ? "" : `, from ${source}`;
}

function detailsOf(state: string, { store, row }: Found, { content, now }: CacheView) {
  const ttlSeconds = store.remaining(row, now);
  return {
    state,
    ttlSeconds,
    ageSeconds: store.ttlOf(row) - ttlSeconds,
    upstream: content.upstreams.list[store.sourceOf(row)] ?? "",
  };
}
