/**
 * Makes a data plane hang; prints /health and /ready before and after, until it counts as dead. A
 * separate process, because such a thread ends only with its process.
 */
import { systemClock } from "../../../src/base/clock.ts";
import { loadConfig } from "../../../src/loading/load.ts";
import { DataPlane } from "../../../src/control/plane/data_plane.ts";
import { Endpoints } from "../../../src/control/endpoints/endpoints.ts";
import { StatusSource } from "../../../src/control/endpoints/status_source.ts";
import { SelfChecks } from "../../../src/control/plane/self_checks.ts";
import { MetricRegistry } from "../../../src/metrics/registry.ts";
import { fakeHost } from "../../support/doubles/fake_host.ts";
import { planeDefaults } from "../../support/processes/plane_defaults.ts";
import "../../support/engine/all_plugins.ts";

const [port, http] = Deno.args;
const write = (line: string) => Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
const text = `.:${port} {
  bind 127.0.0.1
  prometheus 127.0.0.1:${http}
  health 127.0.0.1:${http}
  ready 127.0.0.1:${http} {
    monitor continuously
  }
  whoami
}`;
const { config } = loadConfig({ file: "Corefile", text, defaultPort: 53 }, fakeHost());
const log = (_level: string, line: string) => write(line);
const plane = new DataPlane(config, {
  ...planeDefaults(log),
  driver: "linux",
  onDead: (why) => {
    write(why);
    Deno.exit(3);
  },
});
plane.bind();
await plane.start();
const status = new StatusSource(config, {
  version: "0",
  driver: "linux",
  planes: [plane],
  logger: { droppedLines: 0 },
  clock: systemClock,
});
const endpoints = new Endpoints({
  planes: [plane],
  checks: new SelfChecks([plane]),
  registry: new MetricRegistry(),
  log,
  build: { version: "0", deno: "0" },
  clock: systemClock,
  metricsAddresses: [],
  status,
});
endpoints.apply(config);
endpoints.watchListeners();

async function get(path: string): Promise<{ status: number; body: string }> {
  const response = await fetch(`http://127.0.0.1:${http}${path}`);
  return { status: response.status, body: await response.text() };
}

write(`health ${(await get("/health")).status}`);
write(`ready ${(await get("/ready")).status}`);
plane.provoke("hang");
let health = await get("/health");
while (health.status === 200) {
  await new Promise((resolve) => setTimeout(resolve, 50));
  health = await get("/health");
}
write(`health ${health.status}: ${health.body.trim()}`);
const ready = await get("/ready");
write(`ready ${ready.status}: ${ready.body.trim()}`);
const metrics = (await get("/metrics")).body;
write(`failures ${/^coredns_health_request_failures_total [1-9]/m.test(metrics)}`);
write(`age ${/^nodens_heartbeat_age_seconds [1-9]/m.test(metrics)}`);
