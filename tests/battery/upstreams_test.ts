/** nodens with real servers, especially one that behaves like CoreDNS. */
import assert from "node:assert/strict";
import { makeAuthority } from "../support/servers/certificates.ts";
import {
  type ClusterServer,
  skipUnlessCluster,
  startCluster,
} from "../support/servers/cluster_server.ts";
import { Crowd, type CrowdAnswer, served } from "../support/servers/crowd.ts";
import { FORWARDERS, startForwarder } from "../support/servers/forwarders.ts";
import { type Nodens, startNodens } from "../support/processes/nodens.ts";
import { freePort } from "../support/servers/ports.ts";

const BURST = 40;
/** Duration and interval of the fast queries beside slow names. */
const BESIDE = { durationMs: 4000, everyMs: 50 } as const;
const MAX_CONNECTIONS = 64;

interface Block {
  zone: string;
  to: string;
  options?: string;
  more?: string;
}

function startWith(blocks: readonly Block[]): Promise<Nodens> {
  return startNodens({
    corefile: (port) =>
      blocks.map(({ zone, to, options = "", more = "cache 30" }) =>
        `${zone}:${port} {
  bind 127.0.0.1
  errors
  ${more}
  forward . ${to} {
    ${options}
  }
}
`
      ).join(""),
  });
}

/** The zone of a forwarder. (unbound answers for "test" itself.) */
function zoneOf(forwarder: string): string {
  return `${forwarder.replace("_", "-")}.example.org`;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Queries names that take the server 100 ms each, all at once. */
async function burst(nodens: Nodens, zone: string): Promise<readonly CrowdAnswer[]> {
  const crowd = new Crowd(nodens.port);
  for (let i = 0; i < BURST; i++) crowd.ask(`d100.b${i}.${zone}`);
  return await crowd.finish();
}

async function beside(
  nodens: Nodens,
  zone: string,
  options: { slowMs: number; slowEveryMs: number; transport?: "udp" | "tcp"; everyMs?: number },
): Promise<{ fast: CrowdAnswer[]; slow: CrowdAnswer[]; overtaken: number; overtaking: number }> {
  const { slowMs, slowEveryMs, everyMs = BESIDE.everyMs } = options;
  const crowd = new Crowd(nodens.port, options.transport);
  const fast: CrowdAnswer[] = [];
  const slow: CrowdAnswer[] = [];
  /** Fast names, each with the concurrent slow name. */
  const pairs: [CrowdAnswer, CrowdAnswer][] = [];
  for (let ms = 0; ms < BESIDE.durationMs; ms += everyMs) {
    if (ms % slowEveryMs === 0) slow.push(crowd.ask(`d${slowMs}.s${ms}.${zone}`));
    const one = crowd.ask(`f${ms}.${zone}`);
    fast.push(one);
    if (ms % slowEveryMs < slowMs / 5) pairs.push([one, slow.at(-1)!]);
    await pause(everyMs);
  }
  await crowd.finish();
  const overtaking = pairs.filter(([one, held]) => one.place < held.place).length;
  return { fast, slow, overtaken: pairs.length, overtaking };
}

Deno.test({
  name: "upstreams: forty concurrent names that take 100 ms each are answered by any server",
  ...skipUnlessCluster("openssl", ...FORWARDERS),
  async fn(t) {
    const authority = makeAuthority();
    const cluster = await startCluster(authority.issue("DNS:dns.example.org"));
    const forwarders = await Promise.all(
      FORWARDERS.map(async (name) => ({ name, server: await startForwarder(name, cluster.port) })),
    );
    const tls = `tls ${authority.caFile}\n    tls_servername dns.example.org`;
    const nodens = await startWith([
      { zone: "tcp.example.org", to: `127.0.0.1:${cluster.port}`, options: "force_tcp" },
      { zone: "udp.example.org", to: `127.0.0.1:${cluster.port}` },
      { zone: "tls.example.org", to: `tls://127.0.0.1:${cluster.tlsPort}`, options: tls },
      ...forwarders.map(({ name, server }) => ({
        zone: zoneOf(name),
        to: `127.0.0.1:${server.port}`,
        options: "force_tcp",
      })),
    ]);
    try {
      const zones = ["tcp.example.org", "udp.example.org", "tls.example.org"];
      for (const zone of [...zones, ...FORWARDERS.map(zoneOf)]) {
        await t.step(zone, async () => {
          assert.equal(served(await burst(nodens, zone), 1).length, BURST);
        });
      }
      const { most, queries } = await cluster.counts();
      assert.ok(most <= 3 * MAX_CONNECTIONS, `${most} connections at a time`);
      // Once per name, except for health checks and resends.
      assert.ok(queries <= 2 * BURST * (3 + FORWARDERS.length), `${queries} queries`);
    } finally {
      await nodens.stop();
      for (const { server } of forwarders) await server.stop();
      await cluster.stop();
      authority.remove();
    }
  },
});

/** The published block for the cluster's domain, without parts that need a node. */
const PUBLISHED = `cache {
    success 9984 30
    denial 9984 5
  }`;

Deno.test({
  name: "upstreams: slow names do not delay others, and their server stays healthy",
  ...skipUnlessCluster("openssl"),
  async fn(t) {
    const authority = makeAuthority();
    const cluster = await startCluster(authority.issue("DNS:dns.example.org"));
    const tls = `tls ${authority.caFile}\n    tls_servername dns.example.org`;
    const to = `127.0.0.1:${cluster.port}`;
    const metrics = await freePort();
    const more = `cache 30\n  prometheus 127.0.0.1:${metrics}`;
    const rows = [
      { zone: "tcp.example.org", options: "force_tcp", slowMs: 1500, slowEveryMs: 1000 },
      { zone: "udp.example.org", slowMs: 1500, slowEveryMs: 1000 },
      {
        zone: "few.example.org",
        options: "force_tcp\n    max_conns 4",
        slowMs: 1500,
        slowEveryMs: 1000,
      },
      { zone: "cluster.local", options: "force_tcp", slowMs: 1000, slowEveryMs: 500 },
      { zone: "tls.example.org", options: tls, slowMs: 1500, slowEveryMs: 1000 },
    ];
    const nodens = await startWith(rows.map(({ zone, options = "" }) => ({
      zone,
      to: zone === "tls.example.org" ? `tls://127.0.0.1:${cluster.tlsPort}` : to,
      options,
      more: zone === "cluster.local" ? `${PUBLISHED}\n  prometheus 127.0.0.1:${metrics}` : more,
    })));
    try {
      const cases = rows.flatMap((row) => [
        { ...row, transport: "udp" as const },
        ...row.zone === "tcp.example.org" || row.zone === "udp.example.org"
          ? [{ ...row, zone: `clients.${row.zone}`, transport: "tcp" as const }]
          : [],
      ]);
      const all = await Promise.all(cases.map((one) => beside(nodens, one.zone, one)));
      for (const [i, { zone, transport }] of cases.entries()) {
        await t.step(`${zone}, clients over ${transport}`, () => {
          const { fast, slow, overtaken, overtaking } = all[i]!;
          assert.equal(served(fast, 1).length, fast.length);
          assert.equal(served(slow, 1).length, slow.length);
          assert.equal(overtaking, overtaken);
        });
      }
      await t.step("health", async () => {
        const status = await (await fetch(`http://127.0.0.1:${metrics}/status`)).text();
        assert.equal(status.match(/"state": ?"up"/g)?.length, rows.length, status);
        const text = await (await fetch(`http://127.0.0.1:${metrics}/metrics`)).text();
        const failures = [
          ...text.matchAll(/^coredns_proxy_healthcheck_failures_total\{.* (\S+)$/gm),
        ];
        assert.ok(failures.length > 0);
        for (const [line, count] of failures) assert.equal(count, "0", line);
      });
    } finally {
      await nodens.stop();
      await cluster.stop();
      authority.remove();
    }
  },
});

Deno.test({
  name: "upstreams: slow names do not delay others, with servers of other software",
  ...skipUnlessCluster(...FORWARDERS),
  async fn(t) {
    const cluster = await startCluster();
    const forwarders = await Promise.all(
      FORWARDERS.map(async (name) => ({ name, server: await startForwarder(name, cluster.port) })),
    );
    const nodens = await startWith(forwarders.map(({ name, server }) => ({
      zone: zoneOf(name),
      to: `127.0.0.1:${server.port}`,
      options: "force_tcp",
    })));
    try {
      // Shorter than the slowest waits for its upstream.
      const load = { slowMs: 300, slowEveryMs: 250, everyMs: 125 };
      const all = await Promise.all(
        FORWARDERS.map((name) => beside(nodens, zoneOf(name), load)),
      );
      for (const [i, name] of FORWARDERS.entries()) {
        await t.step(name, () => {
          const { fast, slow } = all[i]!;
          assert.equal(served(fast, 1).length, fast.length);
          // unbound gives up on names that take much longer than the others of its upstream.
          const answered = name === "unbound"
            ? slow.filter(({ message }) => message)
            : served(slow, 1);
          assert.equal(answered.length, slow.length);
        });
      }
    } finally {
      await nodens.stop();
      for (const { server } of forwarders) await server.stop();
      await cluster.stop();
    }
  },
});

Deno.test({
  name: "upstreams: connections are not shared, stay open while used, and close when idle",
  ...skipUnlessCluster(),
  async fn() {
    const cluster: ClusterServer = await startCluster();
    const nodens = await startWith([{
      zone: "tcp.example.org",
      to: `127.0.0.1:${cluster.port}`,
      options: "force_tcp\n    expire 2s",
    }]);
    try {
      assert.equal(served(await burst(nodens, "tcp.example.org"), 1).length, BURST);
      const after = await cluster.counts();
      assert.ok(after.most > 4 && after.most <= BURST, `${after.most} connections at a time`);
      // One by one on existing connections.
      for (let i = 0; i < 20; i++) {
        const crowd = new Crowd(nodens.port);
        crowd.ask(`one${i}.tcp.example.org`);
        assert.equal(served(await crowd.finish(), 1).length, 1);
      }
      assert.equal((await cluster.counts()).accepted, after.accepted);
      for (let tries = 0; (await cluster.counts()).open > 0; tries++) {
        assert.ok(tries < 100, "idle connections stay open");
        await pause(100);
      }
    } finally {
      await nodens.stop();
      await cluster.stop();
    }
  },
});
