import { spanText, tableText } from "../table.ts";

/** Answer of the verb `upstreams`. */
export interface UpstreamsAnswer {
  forwards: {
    place: string;
    zones: string[];
    from: string;
    servers: ServerAnswer[];
  }[];
  unused: { to: string; state: string; since: string }[];
}

interface ServerAnswer {
  to: string;
  state: string;
  stateSeconds: number;
  forced: { state: string; used: boolean } | null;
  latencyMs: { p50: number; p90: number; p99: number } | null;
  replies: number;
  failures: number;
  timeouts: number;
  hedges: number;
  hedgesWon: number;
  learnt: {
    edns: "options" | "alone" | "none" | null;
    cookies: "yes" | "echoed" | "no" | "off" | null;
    case: "kept" | "changed" | "tcp" | "off" | null;
    streams: boolean | null;
    connections: { open: number; pipelines: boolean; singleUse: boolean; limit: number | null };
    looping: boolean;
  };
  lastFailure: { why: string; secondsAgo: number } | null;
}

const HEADS = [
  ...["FORWARD", "UPSTREAM", "STATE", "FOR", "P50", "P90", "P99"],
  ...["REPLIES", "FAILURES", "TIMEOUTS", "HEDGES", "WON"],
];
const NUMBERS = HEADS.slice(4);

const WORDS = {
  edns: { options: "EDNS with options", alone: "EDNS without options", none: "no EDNS" },
  cookies: { yes: "cookies", echoed: "echoes cookies", no: "no cookies", off: "" },
  case: {
    kept: "keeps case",
    changed: "changes case",
    tcp: "asked over TCP: forgery is suspected",
    off: "",
  },
} as const;

/** Formats a table of upstreams, and details. */
export function upstreamsText({ forwards, unused }: UpstreamsAnswer): string {
  const rows = forwards.flatMap(({ from, zones, servers }) => {
    const forward = from === "." || zones.includes(from) ? zones.join(" ") : from;
    if (servers.length === 0) return [[forward, "(none known)", ...HEADS.slice(2).map(() => "-")]];
    return servers.map((server) => [forward, ...cellsOf(server)]);
  });
  const notes = new Map(
    forwards.flatMap(({ servers }) =>
      servers.map((server) => [`${server.to}: ${noteOf(server)}`, failureOf(server)] as const)
    ),
  );
  let text = rows.length === 0
    ? "No forward is configured.\n"
    : tableText([HEADS, ...rows], NUMBERS);
  if (notes.size > 0) text += "\n";
  for (const [note, failure] of notes) text += `${note}\n${failure}`;
  for (const { to, state } of unused) text += `${to}: set to ${state}, but no forward has it\n`;
  return text;
}

function cellsOf(server: ServerAnswer): string[] {
  const { to, stateSeconds, latencyMs, replies, failures, timeouts, hedges, hedgesWon } = server;
  const times = latencyMs === null
    ? ["-", "-", "-"]
    : [latencyMs.p50, latencyMs.p90, latencyMs.p99].map((ms) => `${ms} ms`);
  const counts = [replies, failures, timeouts, hedges, hedgesWon].map(String);
  return [to, stateText(server), spanText(stateSeconds), ...times, ...counts];
}

function stateText({ state, forced, learnt }: ServerAnswer): string {
  const loops = learnt.looping ? ", loops" : "";
  if (forced === null) return state + loops;
  return `${state}${loops} (${forced.state} by hand${forced.used ? ", used as the last" : ""})`;
}

function noteOf({ learnt }: ServerAnswer): string {
  const { edns, cookies, case: spelling, streams, connections } = learnt;
  const { open, pipelines, singleUse, limit } = connections;
  const words = [
    edns === null ? "" : WORDS.edns[edns],
    cookies === null ? "" : WORDS.cookies[cookies],
    spelling === null ? "" : WORDS.case[spelling],
    streams === null ? "" : streams ? "answers over TCP" : "does not answer over TCP",
    pipelines ? "in any order" : "",
    singleUse ? "one query a connection" : "",
    limit === null ? "" : `${limit} connections at most`,
    open === 0 ? "" : `${open} open`,
  ].filter((word) => word !== "");
  return words.length === 0 ? "nothing learnt yet" : words.join(", ");
}

function failureOf({ lastFailure }: ServerAnswer): string {
  if (lastFailure === null) return "";
  const { why, secondsAgo } = lastFailure;
  return `  last failure ${spanText(secondsAgo)} ago: ${why}\n`;
}
