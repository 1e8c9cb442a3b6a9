import { systemClock } from "../../../src/base/clock.ts";
import { countHttp } from "../../../src/control/endpoints/http/counts.ts";
import { HTTP_LIMITS } from "../../../src/control/endpoints/http/limits.ts";
import { makeScheduler } from "../../../src/control/endpoints/http/scheduler.ts";
import { verbTargets } from "../../../src/control/operator/operator.ts";
import { ControlSocket } from "../../../src/control/operator/socket.ts";
import { MetricRegistry } from "../../../src/metrics/registry.ts";
import type { Verb } from "../../../src/plugins/verbs.ts";
import { openLibc } from "../../../src/sys/libc.ts";
import { isLinux } from "../../support/run/require.ts";

/** A control socket with these verbs, and the lines that it logs. */
export async function openSocket(
  path: string,
  verbs: readonly Verb[],
  { succeeds = false } = {},
): Promise<{ socket: ControlSocket; lines: string[] }> {
  const lines: string[] = [];
  const log = (level: string, line: string) => void lines.push(`${level} ${line}`);
  const socket = await ControlSocket.open(path, {
    context: {
      limits: HTTP_LIMITS,
      counts: countHttp({ registry: new MetricRegistry(), log, clock: systemClock }),
      scheduler: makeScheduler(HTTP_LIMITS, systemClock),
      clock: systemClock,
    },
    libc: isLinux() ? openLibc() : null,
    targets: verbTargets(verbs, {
      config: () => ({ file: "Corefile", blocks: [], listeners: [], debug: false }),
      log,
    }),
    succeeds,
  });
  return { socket, lines };
}

/** Sends a request; the status and body of the answer. */
export async function request(
  path: string,
  target: string,
  init: RequestInit = {},
): Promise<{ status: number; text: string }> {
  const client = Deno.createHttpClient({ proxy: { transport: "unix", path } });
  try {
    const response = await fetch(`http://nodens${target}`, { ...init, client });
    return { status: response.status, text: await response.text() };
  } finally {
    client.close();
  }
}
