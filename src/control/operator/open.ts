import { type Clock, systemClock } from "../../base/clock.ts";
import type { LogLevel } from "../../engine/handler.ts";
import { openLibc } from "../../sys/libc.ts";
import { makeScheduler } from "../endpoints/http/scheduler.ts";
import { explainVerbs } from "../explain/verbs.ts";
import type { Server } from "../server.ts";
import { observeVerbs } from "../observe/verbs.ts";
import { verbTargets } from "./operator.ts";
import { type ProcessControl, processVerbs } from "./own_verbs.ts";
import { ControlSocket } from "./socket.ts";

/** `openControl` options. */
export interface ControlOptions {
  /** The first usable one is used. */
  paths: readonly string[];
  /** Set explicitly. */
  wanted: boolean;
  server: Server;
  process: ProcessControl;
  log: (level: LogLevel, line: string) => void;
  ffi: boolean;
  /** The other process will end. */
  succeeds: boolean;
  clock?: Clock;
}

/** Opens the control socket, or logs why not. */
export async function openControl(
  { paths, wanted, server, process, log, ffi, succeeds, clock = systemClock }: ControlOptions,
): Promise<ControlSocket | null> {
  const { http, verbs } = server;
  if (http === null) return null;
  if (!mayWrite()) {
    const fault = "no control socket: Deno may not write files (--allow-write)";
    if (wanted) log("warning", fault);
    return null;
  }
  // Own scheduler: other endpoints must not delay operators.
  const context = { ...http, scheduler: makeScheduler(http.limits, clock) };
  const { planes, nameClient } = server;
  const observing = observeVerbs({ planes, top: () => server.top(), nameClient, clock });
  const explaining = explainVerbs({ planes, nameClient });
  const own = [...processVerbs(process, clock), ...explaining, ...observing];
  const targets = verbTargets([...own, ...verbs], {
    config: () => server.config,
    log,
  });
  const faults: string[] = [];
  for (const path of paths) {
    try {
      const libc = ffi ? openLibc() : null;
      return await ControlSocket.open(path, { context, libc, targets, succeeds });
    } catch (error) {
      // Queries must still be answered.
      faults.push((error as Error).message);
    }
  }
  log("info", `no control socket: ${faults.join("; ")} (-control PATH, or -control off)`);
  return null;
}

function mayWrite(): boolean {
  return Deno.permissions.querySync({ name: "write" }).state === "granted";
}
