/**
 * Makes one of two data planes hang and asks verbs, and for metrics; prints the status and fault of
 * each answer. A separate process, because such a thread
 * ends only with its process.
 */
import { systemClock } from "../../../src/base/clock.ts";
import { denoHost } from "../../../src/control/host_deno.ts";
import { Logger } from "../../../src/control/log/logger.ts";
import { openControl } from "../../../src/control/operator/open.ts";
import { Server } from "../../../src/control/server.ts";
import { loadConfig } from "../../../src/loading/load.ts";
import { MetricRegistry } from "../../../src/metrics/registry.ts";
import { request } from "./scene.ts";
import "../../support/engine/all_plugins.ts";

const [port, http, path] = Deno.args;
const write = (line: string) => Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
const text = `.:${port} {
  bind 127.0.0.1
  prometheus 127.0.0.1:${http}
  cache
  forward . 127.0.0.1:${http} 127.0.0.2:${http}
}`;
const logger = new Logger(
  undefined,
  { write: (bytes: Uint8Array) => Promise.resolve(bytes.length) } as never,
);
const server = new Server(
  loadConfig({ file: "Corefile", text, defaultPort: 53 }, denoHost).config,
  {
    driver: "linux",
    workers: 2,
    clock: systemClock,
    isBeside: () => false,
    inherited: null,
    onHarm: () => {},
    marks: { upstream: 0, probe: 0 },
    registry: new MetricRegistry(),
    logger,
    logsFields: false,
    observes: true,
    metricsAddresses: [],
    build: { version: "0", deno: "0" },
    onDead: (why) => {
      write(why);
      Deno.exit(3);
    },
  },
);
await server.start();
await openControl({
  paths: [path!],
  wanted: true,
  server,
  log: logger.log,
  ffi: true,
  succeeds: false,
  process: {
    status: () => server.status.collect(),
    reload: () => Promise.resolve(),
    lastReload: () => null,
    setDebug: (debug) => server.planes.forEach((plane) => plane.setDebug(debug)),
    stop: () => {},
  },
});

server.planes[0]!.provoke("hang");
const VERBS = [
  ["GET", "status"],
  ["GET", "top"],
  ["GET", "upstreams"],
  ["GET", "lookup?name=example.org"],
  ["GET", "dump"],
  ["GET", "explain?name=example.org"],
  ["POST", "ask?name=example.org"],
  ["POST", "flush?name=example.org"],
  ["POST", "flush?all=true"],
  ["POST", "upstreams/set?to=127.0.0.1&state=down"],
  ["POST", "log?debug=on"],
] as const;
await Promise.all([
  ...VERBS.map(async ([method, verb]) => {
    const { status, text } = await request(path!, `/v1/${verb}`, { method });
    const { error = "answers" } = JSON.parse(text) as { error?: string };
    write(`${verb}: ${status} ${error}`);
  }),
  fetch(`http://127.0.0.1:${http}/metrics`).then(async ({ status, body }) => {
    await body?.cancel();
    write(`metrics: ${status} answers`);
  }),
]);
Deno.exit(0);
