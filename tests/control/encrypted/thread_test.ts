import assert from "node:assert/strict";
import { loadConfig } from "../../../src/loading/load.ts";
import type { Config } from "../../../src/config/types.ts";
import { TlsThread } from "../../../src/control/encrypted/thread.ts";
import { SeriesBook } from "../../../src/metrics/series.ts";
import { usesTls } from "../../../src/plugins/config_traits.ts";
import { askUdp, startUpstream, withDataPlane } from "../../support/processes/drivers.ts";
import { freePort } from "../../support/servers/ports.ts";
import { fakeHost } from "../../support/doubles/fake_host.ts";
import { until } from "../../support/run/until.ts";
import { VirtualClock } from "../../support/run/virtual_clock.ts";
import { decode, queryBytes } from "../../support/messages/messages.ts";
import { isLinux } from "../../support/run/require.ts";
import { answer, scenes } from "./scene.ts";

const driver = isLinux() ? "linux" : "portable";

Deno.test("TLS thread: it is needed if an upstream is asked over TLS or HTTPS", () => {
  const rows = [
    { to: "192.0.2.1", wanted: false },
    { to: "tls://192.0.2.1", wanted: true },
    { to: "192.0.2.1 https://192.0.2.2", wanted: true },
    { to: "dns://dns.example.org", wanted: false },
    { to: "tls://dns.example.org", wanted: true },
  ];
  for (const { to, wanted } of rows) {
    const text = `.:53 {\n  whoami\n}\nexample.org:53 {\n  forward . ${to}\n}`;
    const { config } = loadConfig({ file: "Corefile", text, defaultPort: 53 }, fakeHost());
    assert.equal(usesTls(config), wanted, to);
  }
});

function configOf(text: string): Config {
  return loadConfig({ file: "Corefile", text, defaultPort: 53 }, fakeHost()).config;
}

Deno.test("TLS thread: an eventfd is released only if every thread that had it has left", async () => {
  const config = configOf(".:53 {\n  forward . tls://192.0.2.1\n}");
  const user = () => ({ laneFd: -1, relink: () => {} });
  const tls = new TlsThread(() => {});
  const [early, late, other] = [user(), user(), user()];
  assert.equal(await tls.leave(early), true, "no thread ever had it");
  tls.configure(config);
  tls.join(early);
  assert.equal(await tls.leave(early), true);
  tls.join(late);
  tls.provoke("throw");
  await until(() => tls.restarts === 1 && tls.running);
  tls.join(other);
  assert.equal(await tls.leave(late), false, "the first thread may still write to it");
  assert.equal(await tls.leave(other), true);
  tls.join(other);
  await tls.stop();
  assert.equal(await tls.leave(other), false, "it was terminated");
});

Deno.test("TLS thread: a failed thread that is not needed is not restarted", async () => {
  const logs: string[] = [];
  const tls = new TlsThread((_, line) => logs.push(line), new VirtualClock());
  tls.configure(configOf(".:53 {\n  forward . tls://192.0.2.1\n}"));
  tls.configure(configOf(".:53 {\n  whoami\n}"));
  tls.provoke("throw");
  await until(() => !tls.running);
  assert.equal(tls.restarts, 0);
  assert.deepEqual(logs, [
    "the TLS thread has failed: asked to fail; no upstream needs it any more",
  ]);
  await tls.stop();
});

function metric(tls: TlsThread, name: string): number {
  const book = new SeriesBook();
  tls.addMetrics(book);
  return book.of(name)[0]!.value;
}

/** A data plane with an upstream over TLS and one over plain DNS, in separate blocks. */
interface ThreadScene {
  tls: TlsThread;
  logs: string[];
  clock: VirtualClock;
  /** Response code for a new name, asked over TLS or plain DNS. */
  ask(over: "tls" | "dns"): Promise<string>;
}

const inScene = scenes("TLS thread");

function test(name: string, work: (scene: ThreadScene) => Promise<void>): void {
  inScene(name, async (scene) => {
    const server = await scene.startTls({ answer });
    const [port, plainPort] = [freePort(), freePort()];
    const plain = startUpstream(plainPort, answer);
    const corefile = `tls.test:${port} {
  bind 127.0.0.1
  forward . tls://127.0.0.1:${server.port} {
    tls ${scene.authority.caFile}
    tls_servername dns.example.org
  }
}
dns.test:${port} {
  bind 127.0.0.1
  forward . 127.0.0.1:${plainPort}
}`;
    let count = 0;
    const clock = new VirtualClock();
    await withDataPlane({ driver, corefile, tlsClock: clock }, async (_plane, logs, tls) => {
      const ask = async (over: "tls" | "dns") =>
        decode(
          await askUdp(queryBytes({ name: `n${count}.${over}.test`, id: count++ }), { port }),
        ).rcode!;
      await work({ tls, logs, clock, ask });
    });
    await plain.close();
  });
}

const ENDS = {
  throw: /has failed: asked to fail; restarting it in 100 ms/,
  exhaust: /memory limit/,
  hang: /has not answered for 5 s; restarting it in 100 ms/,
};

for (const how of ["throw", "exhaust", "hang"] as const) {
  test(`a failed thread (${how}) is restarted, and plain DNS is not affected`, async (scene) => {
    const { tls, logs, clock, ask } = scene;
    assert.equal(await ask("tls"), "NOERROR");
    // The watch detects the start.
    await clock.advance(1000);
    tls.provoke(how);
    do {
      assert.equal(await ask("dns"), "NOERROR");
      if (how === "hang") await clock.advance(1000);
    } while (tls.restarts === 0);
    assert.equal(tls.running, false);
    await clock.advance(100);
    assert.equal(tls.running, true);
    // Health checks detect the recovery.
    let rcode = "";
    for (let i = 0; i < 50 && rcode !== "NOERROR"; i++) rcode = await ask("tls");
    assert.equal(rcode, "NOERROR");
    assert.equal(tls.restarts, 1);
    assert.match(logs.find((line) => line.includes("TLS thread"))!, ENDS[how]);
  });
}

test("a reload changes the memory limit of all streams", async ({ tls, ask }) => {
  assert.equal(await ask("tls"), "NOERROR");
  const limit = () => metric(tls, "nodens_tls_held_limit_bytes");
  assert.equal(limit(), 32 * 2 ** 20);
  const config = configOf(".:53 {\n  forward . tls://192.0.2.1\n}");
  config.tlsBytes = 12 * 2 ** 20;
  tls.configure(config);
  await until(() => limit() === 12 * 2 ** 20);
  // Any traffic triggers garbage collection.
  config.garbageBytes = 1;
  tls.configure(config);
  assert.equal(await ask("tls"), "NOERROR");
  assert.equal(metric(tls, "nodens_unhandled_errors_total"), 0);
  config.tlsBytes = 0;
  tls.configure(config);
  await until(() => limit() === 0);
  assert.equal(await ask("tls"), "SERVFAIL");
});

test("while the thread does not run, its upstreams fail at once", async ({ tls, ask }) => {
  assert.equal(await ask("tls"), "NOERROR");
  await tls.stop();
  assert.equal(await ask("tls"), "SERVFAIL");
  assert.equal(await ask("dns"), "NOERROR");
});

test("the thread's metrics count streams and memory", async ({ tls, ask }) => {
  assert.equal(await ask("tls"), "NOERROR");
  const value = (name: string) => metric(tls, name);
  await until(() => value("nodens_tls_streams") === 1);
  assert.equal(value("nodens_tls_threads"), 1);
  assert.ok(value("nodens_tls_heap_bytes") > 1_000_000);
  await tls.stop();
  assert.equal(value("nodens_tls_threads"), 0);
  assert.equal(value("nodens_tls_streams"), 0);
});
