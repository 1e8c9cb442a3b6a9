import type { Clock } from "../../base/clock.ts";
import {
  type ProfileAction,
  type ProfileKind,
  type ProfileResult,
  profileThread,
} from "../../sys/profiler.ts";
import type { DataPlane } from "../plane/data_plane.ts";
import { type HttpReply, type HttpRequest, refusal, textReply } from "./http/message.ts";

const DEFAULT_SECONDS = 30;
const MAX_SECONDS = 300;
/** Starting a thread, or writing its profile. */
const THREAD_MS = 10_000;

const INDEX = `/debug/pprof/profile?seconds=30&thread=1  CPU profile
/debug/pprof/heap?seconds=30&thread=1     allocations of this time that are still in use
thread: a data plane by number, or "control". Open the file in Chrome DevTools.
`;

/** Routes for profiles, one at a time. */
export function profileRoutes(planes: readonly DataPlane[], clock: Clock) {
  let busy = false;
  const record = async (kind: ProfileKind, { query }: HttpRequest): Promise<HttpReply> => {
    const seconds = Number(query.get("seconds") ?? DEFAULT_SECONDS);
    if (!(seconds > 0 && seconds <= MAX_SECONDS)) {
      return refusal(400, `seconds must be more than 0 and at most ${MAX_SECONDS}`);
    }
    const thread = query.get("thread") ?? "1";
    const profile = profilerOf(thread, planes);
    if (profile === null) {
      const known = `"control", or a data plane from 1 to ${planes.length}`;
      return refusal(400, `thread must be ${known}`);
    }
    if (busy) return refusal(503, "a profile is already being recorded; try again later");
    busy = true;
    try {
      const started = await profile({ start: kind });
      if ("error" in started) return refusal(503, `cannot profile: ${started.error}`);
      await clock.sleep(seconds * 1000);
      const result = await profile("end");
      if ("error" in result) return refusal(503, `the profile is lost: ${result.error}`);
      return {
        status: 200,
        headers: {
          "content-type": "application/json",
          "content-disposition": `attachment; filename="nodens-${thread}.${kind}profile"`,
        },
        body: result.json!,
      };
    } finally {
      busy = false;
    }
  };
  const route = (name: string, kind: ProfileKind) => ({
    path: `/debug/pprof/${name}`,
    answerMs: MAX_SECONDS * 1000 + 2 * THREAD_MS,
    handler: (request: HttpRequest) => record(kind, request),
    // Recordings are costly and confidential.
    ownSiteOnly: true,
  });
  return [
    { path: "/debug/pprof/", handler: () => textReply(200, INDEX) },
    route("profile", "cpu"),
    route("heap", "heap"),
  ];
}

type Profiler = (action: ProfileAction) => Promise<ProfileResult>;

function profilerOf(thread: string, planes: readonly DataPlane[]): Profiler | null {
  if (thread === "control") return profileThread;
  const plane = /^[0-9]{1,3}$/.test(thread) ? planes[Number(thread) - 1] : undefined;
  if (plane === undefined) return null;
  return (action) =>
    plane.profile(action, THREAD_MS).catch((error: Error) => ({ error: error.message }));
}
