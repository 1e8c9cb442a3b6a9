import type { Session } from "node:inspector";

/** Time by function, or allocations still in use. */
export type ProfileKind = "cpu" | "heap";

/** Starts a profile, or ends and returns it. */
export type ProfileAction = { start: ProfileKind } | "end";

/** A profile as JSON, `null` after a start, or why it failed. */
export type ProfileResult = { json: string | null } | { error: string };

const METHODS = {
  cpu: ["Profiler.enable", "Profiler.start", "Profiler.stop"],
  heap: ["HeapProfiler.enable", "HeapProfiler.startSampling", "HeapProfiler.stopSampling"],
} as const;

let running: { kind: ProfileKind; session: Session } | null = null;

/**
 * Profiles this thread, one profile at a time, for Chrome DevTools (`.cpuprofile`,
 * `.heapprofile`). Needs `--allow-sys`.
 */
export async function profileThread(action: ProfileAction): Promise<ProfileResult> {
  try {
    return { json: action === "end" ? await end() : await start(action.start) };
  } catch (error) {
    return { error: (error as Error).message };
  }
}

async function start(kind: ProfileKind): Promise<null> {
  if (running !== null) await end();
  const { Session } = await import("node:inspector");
  const session = new Session();
  session.connect();
  running = { kind, session };
  const [enable, start] = METHODS[kind];
  await post(session, enable);
  await post(session, start);
  return null;
}

async function end(): Promise<string> {
  if (running === null) throw new Error("no profile was started");
  const { kind, session } = running;
  running = null;
  try {
    const { profile } = await post(session, METHODS[kind][2]);
    return JSON.stringify(profile);
  } finally {
    session.disconnect();
  }
}

function post(session: Session, method: string): Promise<{ profile?: unknown }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ profile?: unknown }>();
  session.post(method, (error, result) => error === null ? resolve(result ?? {}) : reject(error));
  return promise;
}
