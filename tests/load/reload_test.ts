/** Load while the configuration changes repeatedly. */
import assert from "node:assert/strict";
import { freePort } from "../support/servers/ports.ts";
import { startNodens } from "../support/processes/nodens.ts";
import { skipUnless } from "../support/run/require.ts";
import { answerWith, startUpstream } from "../support/processes/drivers.ts";
import { runDnsperf } from "../support/namespaces/rig/dnsperf.ts";

const RELOADS = 100;
const QPS = 10_000;
const NAMES = Array.from({ length: 2000 }, (_, i) => `n${i}.example.org`);

async function upstream() {
  const port = await freePort();
  return { ...startUpstream(port, answerWith("192.0.2.1", 3600)), port };
}

function queriesOf(servers: readonly { counts: { udp: number; tcp: number } }[]): number {
  return servers.reduce((sum, { counts }) => sum + counts.udp + counts.tcp, 0);
}

async function metric(port: number, name: string): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  return [...text.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\d+)$`, "gm"))]
    .reduce((sum, [, value]) => sum + Number(value), 0);
}

/** A hundred reloads under load over UDP and TCP; no query may be lost. */
async function underLoad(
  corefile: (
    ports: { port: number; other: number; upstreams: number[]; metrics: number },
    turn: number,
  ) => string,
): Promise<{ upstreamQueries: number; asked: number }> {
  const servers = [await upstream(), await upstream()];
  const ports = {
    port: 0,
    other: await freePort(),
    metrics: await freePort(),
    upstreams: servers.map(({ port }) => port),
  };
  const nodens = await startNodens({
    corefile: (port) => {
      ports.port = port;
      return corefile(ports, 0);
    },
  });
  const finished = Promise.withResolvers<void>();
  try {
    const load = { server: "127.0.0.1", port: ports.port, names: NAMES, timeoutSeconds: 5 };
    await runDnsperf({ ...load, qps: 2000, seconds: 2 });
    const before = queriesOf(servers);
    const runs = Promise.all([
      runDnsperf({ ...load, qps: QPS, seconds: 60, clients: 4 }, finished.promise),
      runDnsperf({ ...load, qps: QPS, seconds: 60, clients: 4, tcp: true }, finished.promise),
    ]);
    let turn = 0;
    while (turn < RELOADS) {
      nodens.rewrite(corefile(ports, ++turn));
      const done = nodens.output.split("Reloading complete").length;
      Deno.kill(nodens.pid, "SIGHUP");
      while (nodens.output.split("Reloading complete").length === done) {
        assert.doesNotMatch(nodens.output, /not applied/);
        await new Promise((wake) => setTimeout(wake, 2));
      }
      await new Promise((wake) => setTimeout(wake, 20));
    }
    finished.resolve();
    const results = await runs;
    for (const { lost, sent, completed, rcodes, text } of results) {
      assert.ok(sent > QPS * 2, text);
      assert.equal(lost, 0, text);
      assert.deepEqual(rcodes, { NOERROR: completed }, text);
    }
    assert.doesNotMatch(nodens.output, /\[ERROR\]/);
    assert.equal(await metric(ports.metrics, "coredns_reload_failed_total"), 0);
    return {
      upstreamQueries: queriesOf(servers) - before,
      asked: results.reduce((sum, { completed }) => sum + completed, 0),
    };
  } finally {
    finished.resolve();
    await nodens.stop();
    await Promise.all(servers.map((server) => server.close()));
  }
}

const needs = skipUnless("dnsperf");

Deno.test({
  name: "reload: a hundred under load lose no query and no cache entry",
  ...needs,
  fn: async () => {
    const { upstreamQueries } = await underLoad(({ port, upstreams, metrics }, turn) =>
      `.:${port} {
        bind 127.0.0.1
        errors
        prometheus 127.0.0.1:${metrics}
        cache 3600
        forward . 127.0.0.1:${upstreams[0]}
        # ${turn}
      }\n`
    );
    assert.equal(upstreamQueries, 0);
  },
});

Deno.test({
  name: "reload: changes of listeners and upstreams lose no query",
  ...needs,
  fn: async () => {
    const { upstreamQueries, asked } = await underLoad(
      ({ port, other, upstreams, metrics }, turn) =>
        `.:${port} {
          bind 127.0.0.1 ${turn % 3 === 1 ? "127.0.0.2" : ""}
          errors
          prometheus 127.0.0.1:${metrics}
          cache 3600
          forward . 127.0.0.1:${upstreams[turn % 2]} {
            max_fails ${1 + turn % 5}
          }
        }
        ${turn % 2 === 1 ? `example.net:${other} {\n bind 127.0.0.1\n whoami\n}` : ""}
        ${turn % 4 === 2 ? `.:${other} {\n bind 127.0.0.2\n whoami\n}` : ""}\n`,
    );
    assert.equal(upstreamQueries, 0, `of ${asked}`);
  },
});
