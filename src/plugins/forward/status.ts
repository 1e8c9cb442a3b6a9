import type { ServerState } from "../../upstream/options.ts";
import type { PluginStatus } from "../status.ts";
import { type ForwardOptions, STATES_REQUEST } from "./options.ts";

/** Status of an upstream. */
export interface UpstreamStatus extends ServerState {
  /** Over all `forward` directives. */
  replies: number;
  failures: number;
}

/** Status of a `forward`. */
export interface ForwardStatus {
  from: string;
  upstreams: UpstreamStatus[];
}

/** Upstreams of each `forward`. */
export const forwardStatus: PluginStatus<ForwardOptions, ForwardStatus> = {
  request: STATES_REQUEST,
  describe({ options, counters, answers }) {
    const states = answers.flatMap((answer) => (answer ?? []) as ServerState[]);
    const upstreams = mergeStates(states).map((state) => ({
      ...state,
      replies: counters("nodens_upstream_replies_total", { to: state.to }),
      failures: counters("nodens_upstream_failures_total", { to: state.to }),
    }));
    return { from: options.from, upstreams };
  },
  heads: ["FORWARD", "UPSTREAM", "STATE", "RTT", "REPLIES", "FAILURES"],
  numbers: ["RTT", "REPLIES", "FAILURES"],
  rows({ from, upstreams }, zones) {
    const forward = from === "." || zones.includes(from) ? zones.join(" ") : from;
    if (upstreams.length === 0) return [[forward, "(none known)", "-", "-", "-", "-"]];
    return upstreams.map(({ to, state, rttMs, replies, failures, forced }) => {
      const rtt = rttMs === null ? "-" : `${rttMs.toFixed(1)} ms`;
      // An older nodens does not tell.
      const shown = forced ? `${state} (${forced} by hand)` : state;
      return [forward, to, shown, rtt, String(replies), String(failures)];
    });
  },
};

const STATES: readonly ServerState["state"][] = ["up", "suspect", "down"];

/** Worst state and mean time. */
function mergeStates(states: readonly ServerState[]): ServerState[] {
  return [...Map.groupBy(states, ({ to }) => to)].map(([to, group]) => {
    const state = STATES[Math.max(...group.map(({ state }) => STATES.indexOf(state)))]!;
    const times = group.flatMap(({ rttMs }) => rttMs ?? []);
    const sum = times.reduce((sum, rttMs) => sum + rttMs, 0);
    const forced = group.find((one) => one.forced !== null)?.forced ?? null;
    return { to, state, rttMs: times.length === 0 ? null : sum / times.length, forced };
  });
}
