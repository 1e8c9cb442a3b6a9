import type { LogLevel } from "../../../engine/handler.ts";
import type { ServerDetails } from "../../../upstream/details.ts";
import { labelOf, type ServerAddress } from "../../../upstream/options.ts";
import type { Plane } from "../../companion.ts";
import { type VerbCall, VerbError } from "../../verbs.ts";
import type { ForcedFollower, ForcedServers, ForwardServers } from "./forced.ts";
import { PlanesAsker } from "./ask_planes.ts";
import { matchServer } from "./match_server.ts";
import { reportServer, type ServerReport } from "./report.ts";

const MAX_NAMED = 3;
const STATES = ["down", "up", "auto"] as const;

/** Environment of the verbs. */
export interface UpstreamVerbServices {
  planes: readonly Plane[];
  forced: ForcedServers;
  log: (level: LogLevel, line: string) => void;
}

/** A `forward` in the answer of `upstreams`. */
export interface ForwardReport {
  place: string;
  zones: readonly string[];
  from: string;
  policy: string;
  servers: ServerReport[];
}

/** Answer of `upstreams`. */
export interface UpstreamsReport {
  forwards: ForwardReport[];
  /** Set by hand; no `forward` has them. */
  unused: { to: string; state: string; since: string }[];
}

/** Answer of `upstreams/set`. */
export interface UpstreamSet {
  to: string;
  state: typeof STATES[number];
  /** Places of the `forward`s. */
  forwards: string[];
}

/** Servers of each `forward`. */
export async function listUpstreams(
  { config }: VerbCall,
  { planes, forced }: UpstreamVerbServices,
): Promise<UpstreamsReport> {
  const serving = servingOf(forced, { config });
  const asker = new PlanesAsker(planes);
  const forwards: ForwardReport[] = [];
  for (const { use } of serving.forwards) {
    const { place, zones, options: { from, policy } } = use;
    const servers = await asker.serversOf(use);
    const reports = [...servers].map(([label, details]) =>
      reportServer(details, forced.get(label))
    );
    forwards.push({ place, zones, from, policy, servers: reports });
  }
  const used = new Set(labelsOf(serving.forwards));
  const unused = forced.all.filter(({ server }) => !used.has(labelOf(server)));
  return {
    forwards,
    unused: unused.map(({ server, state, sinceMs }) => {
      return { to: labelOf(server), state, since: new Date(sinceMs).toISOString() };
    }),
  };
}

/** Takes a server out of service, vouches for it, or gives it back to the checks. */
export async function setUpstream(
  { parameters, config }: VerbCall,
  { planes, forced, log }: UpstreamVerbServices,
): Promise<UpstreamSet> {
  const given = Object.fromEntries(parameters);
  const state = STATES.find((state) => state === given.state);
  if (state === undefined) {
    throw new VerbError(`state is ${JSON.stringify(given.state ?? "")}; write down, up or auto`);
  }
  const last = readForce(given.force);
  const serving = servingOf(forced, { config });
  const known = serving.forwards.flatMap(({ upstreams }) => upstreams);
  const server = matchServer(given.to ?? "", [...known, ...forced.all.map(({ server }) => server)]);
  const label = labelOf(server);
  const forwards = serving.forwards.filter(({ upstreams }) => has(upstreams, label));
  const answer = { to: label, state, forwards: forwards.map(({ use }) => use.place) };
  if (state === "auto") {
    forced.set(server, null);
    log("info", `plugin/forward: ${label} is used again as its checks say`);
    return answer;
  }
  if (forced.full && forced.get(label) === undefined) {
    throw new VerbError("too many upstreams are set by hand (give some back: auto)", 409);
  }
  if (state === "down" && !last) {
    const asked = await detailsOf(forwards, planes);
    // No wait in between: the other server may be taken out.
    refuseOutage(label, asked, forced);
  }
  forced.set(server, { state, last });
  const what = state === "down"
    ? "is out of service by hand: no query goes to it"
    : "is used by hand, whatever its checks say";
  log("warning", `plugin/forward: ${label} ${what} (until nodens upstreams auto ${label})`);
  return answer;
}

function readForce(force: string | undefined): boolean {
  if (force !== undefined && force !== "true") {
    throw new VerbError(`force is ${JSON.stringify(force)}; write true, or leave it out`);
  }
  return force === "true";
}

interface KnownServers extends ForwardServers {
  readonly details: ReadonlyMap<string, readonly ServerDetails[]>;
}

async function detailsOf(
  forwards: readonly ForwardServers[],
  planes: readonly Plane[],
): Promise<KnownServers[]> {
  const asker = new PlanesAsker(planes);
  const known: KnownServers[] = [];
  for (const forward of forwards) {
    known.push({ ...forward, details: await asker.serversOf(forward.use) });
  }
  return known;
}

/** Throws `VerbError` if a `forward` would have no server. */
function refuseOutage(
  label: string,
  forwards: readonly KnownServers[],
  forced: ForcedServers,
): void {
  for (const { use, upstreams, details } of forwards) {
    const others = upstreams.map(labelOf).filter((other) =>
      other !== label && forced.get(other)?.state !== "down"
    );
    const answers = others.some((other) =>
      forced.get(other)?.state === "up" ||
      details.get(other)?.every(({ state, learnt }) => state === "up" && !learnt.looping)
    );
    if (answers) continue;
    const why = others.length === 0
      ? `${label} is the last upstream in service`
      : `no other upstream (${named(others)}) answers`;
    throw new VerbError(
      `${why} of forward ${use.options.from} (${use.place}): its queries would get SERVFAIL ` +
        "(-force takes it out all the same)",
      409,
    );
  }
}

function servingOf(forced: ForcedServers, { config }: Pick<VerbCall, "config">): ForcedFollower {
  const serving = [...forced.followers].find((follower) => follower.follows(config));
  if (serving === undefined) throw new VerbError("a reload is under way; try again", 503);
  return serving;
}

function labelsOf(forwards: readonly ForwardServers[]): string[] {
  return forwards.flatMap(({ upstreams }) => upstreams.map(labelOf));
}

function has(upstreams: readonly ServerAddress[], label: string): boolean {
  return upstreams.some((server) => labelOf(server) === label);
}

function named(labels: readonly string[]): string {
  const more = labels.length - MAX_NAMED;
  return `${labels.slice(0, MAX_NAMED).join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}
