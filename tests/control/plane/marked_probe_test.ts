import assert from "node:assert/strict";
import { systemClock } from "../../../src/base/clock.ts";
import { makeHealthProbe } from "../../../src/control/endpoints/health_probe.ts";
import { askMarked } from "../../../src/control/plane/marked_probe.ts";
import { SelfChecks } from "../../../src/control/plane/self_checks.ts";
import { loadConfig } from "../../../src/loading/load.ts";
import { COUNTER } from "../../../src/engine/counters.ts";
import { MetricRegistry } from "../../../src/metrics/registry.ts";
import { openLibc } from "../../../src/sys/libc.ts";
import { withDataPlane } from "../../support/processes/drivers.ts";
import { freePort } from "../../support/servers/ports.ts";
import { fakeHost } from "../../support/doubles/fake_host.ts";
import { missing, rootReasons, skipFor } from "../../support/run/require.ts";

const MARK = 0x53;
const require = skipFor(
  rootReasons(),
);

Deno.test({
  name: "a marked query is answered like any other, and a silent port times out",
  ...require,
  async fn() {
    const port = freePort();
    const corefile = `.:${port} {\n bind 127.0.0.1\n whoami\n}\n`;
    await withDataPlane({ driver: "linux", corefile }, async (plane) => {
      const ask = (at: number, timeoutMs: number) =>
        askMarked(openLibc(), { address: "127.0.0.1", port: at }, { mark: MARK, timeoutMs });
      assert.equal(await ask(port, 5000), true);
      assert.equal(plane.values[COUNTER.PROBES], 1);
      assert.equal(await ask(freePort(), 20), false);
      await assert.rejects(
        askMarked(openLibc(), { address: "localhost", port }, { mark: MARK, timeoutMs: 20 }),
        /Cannot ask "localhost": not an IP address/,
      );
    });
  },
});

Deno.test({
  name: "health marks its queries if configured",
  ...require,
  async fn() {
    const port = freePort();
    const corefile = `.:${port} {\n bind 127.0.0.1\n whoami\n}\n`;
    await withDataPlane({ driver: "linux", corefile }, async (plane) => {
      const probe = makeHealthProbe({
        clock: systemClock,
        planes: [plane],
        checks: new SelfChecks([plane]),
        registry: new MetricRegistry(),
        mark: MARK,
        log: () => {},
      });
      const source = { file: "Corefile", text: corefile, defaultPort: 53 };
      probe.start(loadConfig(source, fakeHost()).config);
      try {
        assert.equal(await probe.fault(), null);
      } finally {
        probe.stop();
      }
    });
  },
});

Deno.test({
  name: "without permission to mark sockets the error has a remedy",
  ...skipFor(
    [...rootReasons(), ...missing(["setpriv"])],
  ),
  async fn() {
    const mark = new URL("../../../src/sys/socket_options.ts", import.meta.url);
    const libc = new URL("../../../src/sys/libc.ts", import.meta.url);
    const script = `import { requireMarks } from "${mark}"; import { openLibc } from "${libc}";
      try { requireMarks(openLibc(), 83); } catch (error) { console.log(error.message); }`;
    const without = "-net_admin,-net_raw";
    const { stdout } = await new Deno.Command("setpriv", {
      args: [
        ...["--bounding-set", without, "--inh-caps", without],
        ...[Deno.execPath(), "eval", script],
      ],
    }).output();
    // By then errno may belong to another call.
    assert.match(
      new TextDecoder().decode(stdout),
      /^Cannot mark sockets with 83: .+ \(nodens needs the capability NET_ADMIN for that\)\n$/,
    );
  },
});
