import type { Learnt, ServerCounts, ServerDetails } from "../../../upstream/details.ts";
import type { Forced, ServerState } from "../../../upstream/options.ts";
import { type Percentiles, percentilesOf } from "../../../upstream/server/latency.ts";
import type { ForcedServer } from "./forced.ts";

/** Of reasons, which may quote a server. */
const MAX_REASON = 200;
const STATES: readonly ServerState["state"][] = ["up", "suspect", "down"];

/** A server in the answer of `upstreams`. */
export interface ServerReport extends ServerCounts {
  to: string;
  /** The worst of all data planes. */
  state: ServerState["state"];
  stateSeconds: number;
  /** `used`: no other server is left. */
  forced: { state: Forced; since: string; used: boolean } | null;
  /** Of a few thousand replies; null before the first. */
  latencyMs: { mean: number | null } & Percentiles | null;
  learnt: Learnt;
  lastFailure: { why: string; secondsAgo: number } | null;
}

/** Merges data planes' details. */
export function reportServer(
  details: readonly ServerDetails[],
  forced: ForcedServer | undefined,
): ServerReport {
  const busiest = details.toSorted((a, b) => b.counts.replies - a.counts.replies)[0]!;
  const state = STATES[Math.max(...details.map(({ state }) => STATES.indexOf(state)))]!;
  const times = details.flatMap(({ rttMs }) => rttMs ?? []);
  const mean = times.length === 0 ? null : rounded(sumOf(times) / times.length);
  const percentiles = percentilesOf(details.map(({ latency }) => latency));
  const last = details.flatMap(({ lastFailure }) => lastFailure ?? [])
    .toSorted((a, b) => a.agoMs - b.agoMs)[0];
  const inState = details.filter((one) => one.state === state).map(({ stateMs }) => stateMs);
  return {
    to: busiest.to,
    state,
    stateSeconds: seconds(Math.max(...inState)),
    forced: forced === undefined ? null : {
      state: forced.state,
      since: new Date(forced.sinceMs).toISOString(),
      used: forced.state === "down" && details.every((one) => one.forced === null),
    },
    latencyMs: percentiles && { mean, ...percentiles },
    ...sumCounts(details.map(({ counts }) => counts)),
    learnt: {
      ...busiest.learnt,
      connections: {
        ...busiest.learnt.connections,
        open: sumOf(details.map(({ learnt }) => learnt.connections.open)),
      },
      looping: details.some(({ learnt }) => learnt.looping),
    },
    lastFailure: last === undefined
      ? null
      : { why: printable(last.why), secondsAgo: seconds(last.agoMs) },
  };
}

function sumCounts(counts: readonly ServerCounts[]): ServerCounts {
  const total = (name: keyof ServerCounts) => sumOf(counts.map((one) => one[name]));
  return {
    replies: total("replies"),
    failures: total("failures"),
    timeouts: total("timeouts"),
    hedges: total("hedges"),
    hedgesWon: total("hedgesWon"),
    resends: total("resends"),
  };
}

function sumOf(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0);
}

function seconds(ms: number): number {
  return Math.floor(ms / 1000);
}

function rounded(ms: number): number {
  return Number(ms.toPrecision(3));
}

function printable(text: string): string {
  return text.slice(0, MAX_REASON).replace(/[^\x20-\x7e]/g, "?");
}
