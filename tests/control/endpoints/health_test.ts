import assert from "node:assert/strict";
import { systemClock } from "../../../src/base/clock.ts";
import { loadConfig } from "../../../src/loading/load.ts";
import { makeHealthProbe } from "../../../src/control/endpoints/health_probe.ts";
import { SelfChecks } from "../../../src/control/plane/self_checks.ts";
import { makeReadiness } from "../../../src/control/endpoints/readiness.ts";
import { MetricRegistry } from "../../../src/metrics/registry.ts";
import { withDataPlane } from "../../support/processes/drivers.ts";
import { freePort } from "../../support/servers/ports.ts";
import { fakeHost } from "../../support/doubles/fake_host.ts";
import { driversHere, skipUnlessLinux } from "../../support/run/require.ts";
import { until } from "../../support/run/until.ts";
import { VirtualClock } from "../../support/run/virtual_clock.ts";
import { Simulation } from "../../support/simulation/simulation.ts";

const load = (text: string) =>
  loadConfig({ file: "Corefile", text, defaultPort: 53 }, fakeHost()).config;

Deno.test({
  name: "health fails while the data plane hangs, before the process ends",
  ...skipUnlessLinux(),
  async fn() {
    const file = new URL("./hang_health.ts", import.meta.url).pathname;
    const [port, http] = [freePort(), freePort()];
    const { code, stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", file, String(port), String(http)],
      stdout: "piped",
      stderr: "inherit",
    }).output();
    const fault = "the data plane does not answer";
    assert.deepEqual(new TextDecoder().decode(stdout).trim().split("\n"), [
      "health 200",
      "ready 200",
      `plugin/health: ${fault}`,
      `health 503: ${fault}`,
      "ready 503: data plane",
      "failures true",
      "age true",
      "the data plane has not answered for 5 s",
    ]);
    assert.equal(code, 3);
  },
});

for (
  const driver of driversHere()
) {
  Deno.test(`health with the ${driver} driver: a missing listener is unhealthy`, async () => {
    const port = freePort();
    const corefile = `.:${port} {\n bind 127.0.0.1\n whoami\n}\n`;
    const registry = new MetricRegistry();
    const logs: string[] = [];
    const log = (level: string, line: string) => logs.push(`${level}: ${line}`);
    await withDataPlane({ driver, corefile }, async (plane) => {
      const checks = new SelfChecks([plane]);
      const probe = makeHealthProbe({ planes: [plane], checks, registry, log, clock: systemClock });
      probe.start(load(corefile));
      try {
        assert.equal(await probe.fault(), null);
        const other = freePort();
        probe.start(load(`.:${port} .:${other} {\n bind 127.0.0.1\n whoami\n}\n`));
        const fault = `a query to 127.0.0.1:${other} was not answered`;
        assert.equal(await probe.fault(), fault);
        await until(() => logs.length > 0);
        assert.deepEqual(logs, [`warning: plugin/health: ${fault}`]);
      } finally {
        probe.stop();
      }
    });
  });
}

Deno.test("health: every data plane must have a heartbeat", async () => {
  const ages = [{ heartbeatAgeMs: 0 }, { heartbeatAgeMs: 0 }];
  const target = { address: "::1", port: 53, mark: 0 };
  let silent: typeof target | null = null;
  const probe = makeHealthProbe({
    clock: systemClock,
    planes: ages,
    checks: {
      watchListeners: () => Promise.reject(new Error("no thread takes it up")),
      get verdicts() {
        return { rounds: 0, durationMs: 0, silent };
      },
    },
    registry: new MetricRegistry(),
    log: () => {},
  });
  probe.start(load(".:53 {\n whoami\n}\n"));
  try {
    assert.equal(await probe.fault(), null);
    silent = target;
    assert.equal(await probe.fault(), "a query to [::1]:53 was not answered");
    ages[1]!.heartbeatAgeMs = 2001;
    assert.equal(await probe.fault(), "1 of 2 data planes do not answer");
  } finally {
    probe.stop();
  }
});

Deno.test("readiness: a forward with unresolved names is not ready", () => {
  const simulation = new Simulation(". {\n forward . dns.example.org\n}\n");
  assert.deepEqual(simulation.engine.blocks.unready(), [[0, "forward"]]);
  const upstream = { address: "10.0.0.1", port: 53, transport: "dns", serverName: "" };
  simulation.engine.blocks.deliver(0, 0, { upstreams: [upstream] });
  assert.deepEqual(simulation.engine.blocks.unready(), []);
});

Deno.test("readiness: a server once ready stays ready, unless monitored continuously", async () => {
  const text = ". {\n errors\n forward . 10.0.0.1\n}\nexample.org {\n forward . 10.0.0.2\n}\n";
  const clock = new VirtualClock();
  let answer: unknown = [[0, "forward"], [1, "forward"]];
  const plane = {
    ask: () => answer === null ? Promise.reject(new Error("silent")) : Promise.resolve(answer),
  };
  const readiness = (continuously: boolean) =>
    makeReadiness({
      planes: [plane],
      config: load(text),
      blocks: new Map([[0, { continuously }]]),
      clock,
    });
  const once = readiness(false);
  const always = readiness(true);
  for (const one of [once, always]) assert.deepEqual(await one(), ["forward"]);
  answer = [[1, "forward"]];
  await clock.advance(100);
  for (const one of [once, always]) assert.deepEqual(await one(), []);
  answer = [[0, "forward"]];
  await clock.advance(99);
  assert.deepEqual(await always(), [], "asked ten times a second at most");
  await clock.advance(1);
  assert.deepEqual(await once(), []);
  assert.deepEqual(await always(), ["forward"]);
  answer = null;
  await clock.advance(100);
  assert.deepEqual(await once(), []);
  assert.deepEqual(await always(), ["data plane"]);
  assert.deepEqual(await readiness(false)(), ["data plane"]);
});
