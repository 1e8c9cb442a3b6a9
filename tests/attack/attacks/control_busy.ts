import type { Attack, Hands, Stage } from "../frame/attack.ts";
import { quantile } from "../frame/client_report.ts";
import { HTTP, PLACES } from "../frame/places.ts";
import { closedOf, type Socket } from "../frame/sockets.ts";

const METRICS = { address: PLACES.node, port: HTTP.metrics };
const HEALTH = `http://${PLACES.dns}:${HTTP.health}/health`;
const CONNECTIONS = 32;
const AHEAD = 50;
const REQUESTS = new TextEncoder().encode(
  "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n".repeat(AHEAD),
);
const PROBE_LIMIT_MS = 1_000;
/** kubelet probes every few seconds. */
const PROBE_PAUSE_MS = 20;
/** Limit of probes at the 99th percentile. */
const PROBE_P99_MS = 100;

const pause = (ms: number) => new Promise<void>((wake) => setTimeout(wake, ms));

async function pipeline({ tcp, left, pause }: Hands) {
  let open: Socket[] = [];
  const fresh = new Set<Socket>();
  let opened = 0;
  let bytes = 0;
  while (left() > 0) {
    while (open.length < CONNECTIONS) {
      const socket = tcp({}, { to: METRICS });
      open.push(socket);
      fresh.add(socket);
      opened++;
    }
    await pause(1);
    for (const socket of fresh) if (socket.send(REQUESTS) > 0) fresh.delete(socket);
    for (const socket of open) bytes += socket.drain().bytes;
    const gone = closedOf(open);
    gone.forEach((socket) => {
      socket.close();
      fresh.delete(socket);
    });
    open = open.filter((socket) => !gone.has(socket));
  }
  return { opened, "MB of metrics": Math.round(bytes / 1e6) };
}

/** Probes /health continuously, as several kubelets would. */
async function probe({ seconds }: Stage) {
  const end = performance.now() + seconds * 1000;
  const took: number[] = [];
  let failed = 0;
  while (performance.now() < end) {
    const began = performance.now();
    try {
      const response = await fetch(HEALTH, { signal: AbortSignal.timeout(PROBE_LIMIT_MS) });
      if ((await response.text()) !== "OK") failed++;
    } catch {
      failed++;
    }
    took.push(performance.now() - began);
    await pause(PROBE_PAUSE_MS);
  }
  took.sort((a, b) => a - b);
  return {
    "health asked": took.length,
    "health failed": failed,
    "health p50 ms": Number(quantile(took, 0.5).toFixed(1)),
    "health p99 ms": Number(quantile(took, 0.99).toFixed(1)),
  };
}

export const controlBusy: Attack = {
  name: "control-busy",
  summary: `${CONNECTIONS} connections pipeline GET /metrics, beside /health asked all the time.`,
  attack: pipeline,
  beside: probe,
  judge: ({ facts }) =>
    Number(facts["health asked"]) > 0 && facts["health failed"] === 0
      ? []
      : [`/health failed ${facts["health failed"]} of ${facts["health asked"]} times`],
  slow: ({ facts }) =>
    Number(facts["health p99 ms"]) <= PROBE_P99_MS
      ? null
      : `/health took ${facts["health p99 ms"]} ms (p99)`,
};
