/** The thread that speaks TLS: when it runs, and what its end does to whom. */
import { usesTls } from "../../../src/plugins/config_traits.ts";
import assert from "node:assert/strict";
import { loadConfig } from "../../../src/loading/load.ts";
import type { Config } from "../../../src/config/types.ts";
import { TlsThread } from "../../../src/control/encrypted/thread.ts";
import type { DataPlane } from "../../../src/control/plane/data_plane.ts";
import { SeriesBook } from "../../../src/metrics/series.ts";
import { makeAuthority } from "../../support/servers/certificates.ts";
import { askUdp, startUpstream, withDataPlane } from "../../support/processes/drivers.ts";
import { freePort } from "../../support/servers/ports.ts";
import { fakeHost } from "../../support/doubles/fake_host.ts";
import { until } from "../../support/run/until.ts";
import { a, decode, queryBytes, responseBytes } from "../../support/messages/messages.ts";
import { isLinux, skipUnless } from "../../support/run/require.ts";
import { startTls } from "../../support/servers/tls_servers.ts";

const driver = isLinux() ? "linux" : "portable";

function answer(bytes: Uint8Array): Uint8Array {
  const query = decode(bytes);
  return responseBytes(query, { answers: [a(query.questions![0]!.name, "192.0.2.7")] });
}

Deno.test("the thread for TLS is wanted where some upstream is spoken to over TLS or HTTPS", () => {
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

Deno.test("an eventfd is let go of only where every thread that had it has said goodbye", async () => {
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
  assert.equal(await tls.leave(other), false, "it was ended without a goodbye");
});

Deno.test("a thread for TLS that fails when nobody needs it is not started again", async () => {
  const logs: string[] = [];
  // It is not looked at: it ends by its failure and nothing else.
  const tls = new TlsThread((_, line) => logs.push(line), { checkMs: 3_600_000 });
  tls.configure(configOf(".:53 {\n  forward . tls://192.0.2.1\n}"));
  tls.configure(configOf(".:53 {\n  whoami\n}"));
  tls.provoke("throw");
  await until(() => !tls.running);
  assert.equal(tls.restarts, 0);
  assert.deepEqual(logs, [
    "the thread for TLS has failed: asked to fail; no upstream needs it any more",
  ]);
  await tls.stop();
});

function metric(tls: TlsThread, name: string): number {
  const book = new SeriesBook();
  tls.addMetrics(book);
  return book.of(name)[0]!.value;
}

interface Scene {
  plane: DataPlane;
  tls: TlsThread;
  logs: string[];
  /** The clock of the watch, which stands still but for this. */
  clock: { ms: number };
  /** Response code of a name that is asked for over TLS, or over plain DNS. */
  ask(over: "tls" | "dns"): Promise<string>;
}

/** A data plane with an upstream over TLS and one over plain DNS, in blocks of their own. */
function test(name: string, work: (scene: Scene) => Promise<void>): void {
  Deno.test({
    name: `thread for TLS: ${name}`,
    ...skipUnless("openssl"),
    // Sockets of node:tls are let go of a moment after their close event.
    sanitizeOps: false,
    sanitizeResources: false,
    async fn() {
      const authority = makeAuthority();
      const server = await startTls(authority.issue("DNS:dns.example.org"), { answer });
      const [port, plainPort] = [freePort(), freePort()];
      const plain = startUpstream(plainPort, answer);
      const corefile = `tls.test:${port} {
  bind 127.0.0.1
  forward . tls://127.0.0.1:${server.port} {
    tls ${authority.caFile}
    tls_servername dns.example.org
  }
}
dns.test:${port} {
  bind 127.0.0.1
  forward . 127.0.0.1:${plainPort}
}`;
      let count = 0;
      const clock = { ms: 0 };
      const watched = { nowMs: () => clock.ms, checkMs: 20 };
      await withDataPlane({ driver, corefile, tls: watched }, async (plane, logs, tls) => {
        const ask = async (over: "tls" | "dns") =>
          decode(
            await askUdp(queryBytes({ name: `n${count}.${over}.test`, id: count++ }), { port }),
          ).rcode!;
        await work({ plane, tls, logs, clock, ask });
      });
      await plain.close();
      await server.close();
      authority.remove();
    },
  });
}

const ENDS = {
  throw: /has failed: asked to fail; starting it again in 100 ms/,
  exhaust: /memory limit/,
  hang: /has shown no life for 5 s; starting it again in 100 ms/,
};

for (const how of ["throw", "exhaust", "hang"] as const) {
  test(`one that fails (${how}) is started again, and plain DNS does not notice`, async (scene) => {
    const { tls, logs, clock, ask } = scene;
    // The watch has seen it start once it looks and finds a beat.
    assert.equal(await ask("tls"), "NOERROR");
    tls.provoke(how);
    do {
      assert.equal(await ask("dns"), "NOERROR");
      // As much as the watch takes for whole; one that lives shows it in between.
      if (how === "hang") clock.ms += 1000;
      await new Promise((resolve) => setTimeout(resolve, 30));
    } while (tls.restarts === 0);
    await until(() => tls.running);
    // Health checks find the upstream again; each try asks for another name.
    let rcode = "";
    for (let i = 0; i < 50 && rcode !== "NOERROR"; i++) rcode = await ask("tls");
    assert.equal(rcode, "NOERROR");
    assert.equal(tls.restarts, 1);
    assert.match(logs.find((line) => line.includes("thread for TLS"))!, ENDS[how]);
  });
}

test("a reload changes what all streams may hold", async ({ tls, ask }) => {
  assert.equal(await ask("tls"), "NOERROR");
  const limit = () => metric(tls, "nodens_tls_held_limit_bytes");
  assert.equal(limit(), 32 * 2 ** 20);
  const config = configOf(".:53 {\n  forward . tls://192.0.2.1\n}");
  config.tlsBytes = 12 * 2 ** 20;
  tls.configure(config);
  await until(() => limit() === 12 * 2 ** 20);
  // Everything that passes has garbage collected.
  config.garbageBytes = 1;
  tls.configure(config);
  assert.equal(await ask("tls"), "NOERROR");
  assert.equal(metric(tls, "nodens_unhandled_errors_total"), 0);
  config.tlsBytes = 0;
  tls.configure(config);
  await until(() => limit() === 0);
  // Whatever is under way is too much.
  assert.equal(await ask("tls"), "SERVFAIL");
});

test("while none runs, its upstreams fail at once with the reason", async ({ tls, ask }) => {
  assert.equal(await ask("tls"), "NOERROR");
  await tls.stop();
  assert.equal(await ask("tls"), "SERVFAIL");
  assert.equal(await ask("dns"), "NOERROR");
});

test("its metrics count streams and memory", async ({ tls, ask }) => {
  assert.equal(await ask("tls"), "NOERROR");
  const value = (name: string) => metric(tls, name);
  await until(() => value("nodens_tls_streams") === 1);
  assert.equal(value("nodens_tls_threads"), 1);
  assert.ok(value("nodens_tls_heap_bytes") > 1_000_000);
  await tls.stop();
  assert.equal(value("nodens_tls_threads"), 0);
  assert.equal(value("nodens_tls_streams"), 0);
});
