import { rcodeText } from "../../dns/mnemonics.ts";
import { type Exchange, TCP } from "../../engine/exchange/exchange.ts";
import type { Explanation } from "../../engine/explanation.ts";
import type { Forced, ServerState } from "../../upstream/options.ts";
import { RANK } from "../../upstream/outcome.ts";
import type { ForwardOptions, ForwardTo } from "./options.ts";

/** State of a server. */
export interface ExplainedServer {
  readonly label: string;
  readonly rank: number;
  readonly looping: boolean;
  readonly state: ServerState;
  readonly forced: Forced | null;
  readonly health: { readonly share: number; readonly sinceMs: number };
  /** Of the last query or check, or "". */
  readonly record: { readonly failure: string };
}

/** Lists from files may be long. */
const MAX_NAMED = 16;

/** State of a `forward`. */
export interface ForwardView {
  readonly options: ForwardOptions;
  readonly servers: readonly ExplainedServer[];
  /** Servers that may be asked first. */
  readonly first: readonly number[];
  /** The same question, or null. */
  readonly inFlight: { readonly ageMs: number; readonly waiters: number } | null;
  readonly asking: number;
  readonly nowMs: number;
}

/** Why a name is not taken. */
export function explainNotTaken(
  { from, except }: ForwardOptions,
  isExcepted: boolean,
): Explanation {
  const reason = isExcepted
    ? `the name is below except ${except.join(" ")}`
    : `the name is not below ${from}, which it forwards`;
  return { verdict: "passes", reason };
}

/** Which upstream would be asked, and why. */
export function explainForward(exchange: Exchange, view: ForwardView): Explanation {
  const { options, servers, first, inFlight, asking, nowMs } = view;
  const isFirst = new Set(first);
  const chosen = first.map((index) => servers[index]!);
  const others = servers.filter((_, i) => !isFirst.has(i));
  const details = {
    upstreams: [...chosen, ...others].slice(0, MAX_NAMED)
      .map((server, i) => describe(server, i < chosen.length)),
  };
  const refused = (reason: string): Explanation => ({ verdict: "refuses", reason, details });
  if (inFlight !== null) {
    const { ageMs, waiters } = inFlight;
    const reason = `nobody: the same question is in flight since ${durationText(ageMs)} ` +
      `(${waiters} waiting)`;
    return { verdict: "asks", reason, details: { ...details, inFlight } };
  }
  if (servers.length === 0) {
    return refused(`no upstream is known yet: ${options.to.map(sourceText).join(", ")} names none`);
  }
  if (first.length === 0) {
    return {
      ...refused("no upstream may be asked: the answer is SERVFAIL"),
      notes: named(servers, (server) => `${server.label} ${whyNot(server, options, nowMs)}`),
    };
  }
  if (options.maxConcurrent > 0 && asking >= options.maxConcurrent) {
    return refused(
      `${asking} questions are in flight already (max_concurrent ${options.maxConcurrent})`,
    );
  }
  const down = chosen[0]!.rank === RANK.DOWN;
  if (down && options.failfastAllUnhealthyUpstreams) {
    return refused("all upstreams are down (failfast_all_unhealthy_upstreams)");
  }
  return {
    verdict: "asks",
    reason: chosen.length === 1
      ? `${serverText(chosen[0]!)}${transportText(exchange, options)}`
      : `one of ${named(chosen, serverText).join(", ")}${transportText(exchange, options)}`,
    notes: [
      ...down ? ["all upstreams are down, and one is tried all the same"] : [],
      ...named(others, (server) => `not ${server.label}: it ${whyNot(server, options, nowMs)}`),
      ...chosen.length > 1 || others.length > 0 ? [policyText(options)] : [],
      ...options.next.length === 0
        ? []
        : [`a further forward is asked after ${options.next.map(rcodeText).join(" ")} (next)`],
    ],
    details,
  };
}

function named(
  servers: readonly ExplainedServer[],
  text: (server: ExplainedServer) => string,
): string[] {
  const left = servers.length - MAX_NAMED;
  return [...servers.slice(0, MAX_NAMED).map(text), ...left > 0 ? [`${left} more`] : []];
}

function describe(server: ExplainedServer, first: boolean): Record<string, unknown> {
  const { label, state: { state, rttMs }, looping, forced } = server;
  return { to: label, state, rttMs, looping, byHand: forced, first };
}

function serverText(
  { label, state: { state, rttMs }, health: { share }, forced }: ExplainedServer,
): string {
  const time = rttMs === null ? "not measured yet" : `${roundedMs(rttMs)}`;
  const recovering = state === "up" && share < 1
    ? `, recovering: gets ${Math.round(100 * share)} % of its queries`
    : "";
  const byHand = forced === "up" ? ", put up by hand" : "";
  return `${label} (${state}, ${time}${recovering}${byHand})`;
}

function whyNot(server: ExplainedServer, { policy }: ForwardOptions, nowMs: number): string {
  const { state: { state, rttMs }, health, record: { failure }, rank } = server;
  if (server.forced === "down") return "is taken out by hand";
  if (server.looping) return "leads back here (loop)";
  const since = `since ${durationText(nowMs - health.sinceMs)}`;
  const why = failure === "" ? "" : ` (${failure})`;
  if (rank === RANK.DOWN) return `is down ${since}${why}`;
  if (rank === RANK.SUSPECT) return `is suspect ${since}: a query failed${why}`;
  const time = rttMs === null ? "not measured yet" : roundedMs(rttMs);
  return policy === "fastest" ? `is slower (${time})` : `is ${state} (${time}) and comes later`;
}

function policyText({ policy, hedgeMs }: ForwardOptions): string {
  const hedge = hedgeMs === null
    ? ""
    : hedgeMs === "auto"
    ? "; a late answer makes a second one be asked (hedge)"
    : `; after ${hedgeMs} ms a second one is asked (hedge)`;
  return `policy ${policy}${hedge}`;
}

function transportText(
  { transport }: Exchange,
  { forceTcp, preferUdp, upstreams }: ForwardOptions,
) {
  // Labels of encrypted servers show their transport.
  if (!upstreams.some(({ transport }) => transport === "dns")) return "";
  if (forceTcp) return " over TCP (force_tcp)";
  return transport === TCP && !preferUdp ? " over TCP, as the client" : "";
}

function sourceText(to: ForwardTo): string {
  return to.kind === "server" ? to.upstream.address : to.kind === "file" ? to.path : to.host;
}

function roundedMs(ms: number): string {
  return `${Number(ms.toPrecision(2))} ms`;
}

function durationText(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${Math.round(ms / 1000)} s`;
}
