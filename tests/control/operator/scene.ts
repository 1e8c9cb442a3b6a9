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
  { method = "GET" }: { method?: string } = {},
): Promise<{ status: number; text: string }> {
  // Deno's own client waits for five seconds now and then if many are made.
  const conn = await Deno.connect({ transport: "unix", path });
  const lines = [`${method} ${target} HTTP/1.1`, "host: nodens", "connection: close", "", ""];
  await conn.write(new TextEncoder().encode(lines.join("\r\n")));
  const reply = await new Response(conn.readable).text();
  const end = reply.indexOf("\r\n\r\n");
  const head = reply.slice(0, end);
  const body = reply.slice(end + 4);
  const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(head)?.[1]);
  if (Number.isNaN(status)) throw new Error(`no answer: ${JSON.stringify(reply)}`);
  return { status, text: /^transfer-encoding: chunked/im.test(head) ? joinChunks(body) : body };
}

/** The tests' streams have ASCII alone. */
function joinChunks(body: string): string {
  let text = "";
  for (let at = 0;;) {
    const lineEnd = body.indexOf("\r\n", at);
    const size = parseInt(body.slice(at, lineEnd), 16);
    if (size === 0) return text;
    if (Number.isNaN(size)) throw new Error("the stream has no end");
    text += body.slice(lineEnd + 2, lineEnd + 2 + size);
    at = lineEnd + 2 + size + 2;
  }
}
