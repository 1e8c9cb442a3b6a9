import type { ServerState } from "../../upstream/options.ts";
import type { HandlerFacts, PluginStatus } from "../status.ts";
import type { ForwardOptions } from "./options.ts";

/** An upstream of one `forward`. */
export interface UpstreamStatus extends ServerState {
  /** Replies and failed attempts since the start, over all `forward` that use this server. */
  replies: number;
  failures: number;
}

/** One `forward`. */
export interface ForwardStatus {
  from: string;
  upstreams: UpstreamStatus[];
}

/** Shows a `forward` by what its handlers say of their upstreams. */
export const forwardStatus: PluginStatus<ForwardOptions, ForwardStatus> = {
  request: { type: "upstreams" },
  describe,
  heads: ["FORWARD", "UPSTREAM", "STATE", "RTT", "REPLIES", "FAILURES"],
  numbers: ["RTT", "REPLIES", "FAILURES"],
  rows: ({ from, upstreams }, zones) => {
    const forward = from === "." || zones.includes(from) ? zones.join(" ") : from;
    if (upstreams.length === 0) return [[forward, "(none known)", "-", "-", "-", "-"]];
    return upstreams.map(({ to, state, rttMs, replies, failures }) => [
      forward,
      to,
      state,
      rttMs === null ? "-" : `${rttMs.toFixed(1)} ms`,
      String(replies),
      String(failures),
    ]);
  },
};

function describe({ options, counters, answers }: HandlerFacts<ForwardOptions>): ForwardStatus {
  const states = answers.map((answer) => (answer ?? []) as ServerState[]);
  const upstreams = mergeStates(states).map((state) => ({
    ...state,
    replies: counters("nodens_upstream_replies_total", { to: state.to }),
    failures: counters("nodens_upstream_failures_total", { to: state.to }),
  }));
  return { from: options.from, upstreams };
}

const RANK: readonly ServerState["state"][] = ["up", "suspect", "down"];

/** The same upstreams as several data planes see them: the worst state, the mean time. */
function mergeStates(planes: readonly (readonly ServerState[])[]): ServerState[] {
  const merged = new Map<string, ServerState & { seen: number }>();
  for (const { to, state, rttMs } of planes.flat()) {
    const known = merged.get(to);
    const seen = rttMs === null ? 0 : 1;
    if (known === undefined) {
      merged.set(to, { to, state, rttMs, seen });
      continue;
    }
    if (RANK.indexOf(state) > RANK.indexOf(known.state)) known.state = state;
    if (rttMs === null) continue;
    known.rttMs = ((known.rttMs ?? 0) * known.seen + rttMs) / (known.seen + 1);
    known.seen++;
  }
  return [...merged.values()].map(({ to, state, rttMs }) => ({ to, state, rttMs }));
}
