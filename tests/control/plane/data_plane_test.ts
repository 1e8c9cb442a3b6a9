import assert from "node:assert/strict";
import { systemClock } from "../../../src/base/clock.ts";
import { COUNTER } from "../../../src/engine/counters.ts";
import type { DataPlane } from "../../../src/control/plane/data_plane.ts";
import { VERDICT, VERDICTS } from "../../../src/io/check_plan.ts";
import { askUdp, withDataPlane } from "../../support/processes/drivers.ts";
import { makeMetricsSource } from "../../../src/control/endpoints/metrics_source.ts";
import {
  type SaveReply,
  type SaveRequest,
  SNAPSHOT_START,
} from "../../../src/plugins/cache/persist/requests.ts";
import { MAX_SLICE_SIZE } from "../../../src/plugins/cache/persist/snapshot_file.ts";
import { readConfig } from "../../../src/loading/load.ts";
import { fakeHost } from "../../support/doubles/fake_host.ts";
import { buildClientTable } from "../../../src/engine/observe/client_table.ts";
import { HashKey } from "../../../src/engine/question/keyed_hash.ts";
import { MetricRegistry } from "../../../src/metrics/registry.ts";
import { freePort, haveIpv6 } from "../../support/servers/ports.ts";
import { decode, queryBytes } from "../../support/messages/messages.ts";
import { isLinux } from "../../support/run/require.ts";
import { until } from "../../support/run/until.ts";

const linux = isLinux();

if (linux) {
  Deno.test("data plane: after an exception it is restarted on the same sockets", async () => {
    const port = freePort();
    const corefile = `.:${port} {\n bind 127.0.0.1\n whoami\n}`;
    await withDataPlane({ driver: "linux", corefile }, async (plane, logs) => {
      const query = queryBytes({ name: "www.example.org" });
      await askUdp(query, { port });
      plane.provoke("throw");
      await until(() => logs.some((line) => line.includes("the data plane failed")));
      assert.equal(decode(await askUdp(query, { port })).rcode, "NOERROR");
    });
  });

  Deno.test("data plane: messages to a thread that fails do not hold up the next one", async () => {
    const port = freePort();
    const corefile = `.:${port} {\n bind 127.0.0.1\n whoami\n}`;
    await withDataPlane({ driver: "linux", corefile }, async (plane, logs) => {
      plane.provoke("throw");
      // It ends while these come.
      for (let i = 0; i < 20_000; i++) plane.setDebug(null);
      await until(() => logs.some((line) => line.includes("the data plane failed")));
      const query = queryBytes({ name: "www.example.org" });
      // The first one may come before the thread looks at messages.
      for (let i = 0; i < 3; i++) {
        assert.equal(decode(await askUdp(query, { port })).rcode, "NOERROR");
      }
    });
  });

  Deno.test("data plane: after an exception a retired one is restarted without its sockets", async () => {
    const port = freePort();
    const corefile = `.:${port} {\n bind 127.0.0.1\n whoami\n}`;
    await withDataPlane({ driver: "linux", corefile }, async (plane) => {
      await plane.retire(5000);
      await plane.drain(5000);
      const restarted = Promise.withResolvers<void>();
      plane.onRestarted = restarted.resolve;
      plane.provoke("throw");
      await restarted.promise;
      const socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
      const to = { transport: "udp", hostname: "127.0.0.1", port } as const;
      await socket.send(queryBytes({ name: "www.example.org" }), to);
      const queries = () => plane.values[COUNTER.UDP_QUERIES];
      const before = queries();
      // By the time it answers, the loop would have seen the query.
      for (let i = 0; i < 20; i++) {
        await plane.ask({ block: -1, position: -1, request: null }, 15_000);
      }
      assert.equal(queries(), before);
      socket.close();
    });
  });

  Deno.test("data plane: a replacement thread continues the self-checks", async () => {
    const port = freePort();
    // A scope, as in a link-local address, does not prevent probes.
    const addresses = haveIpv6() ? ["::1", "::1%lo"] : ["127.0.0.1"];
    const corefile = `.:${port} {\n bind ${addresses[0]}\n whoami\n}`;
    await withDataPlane({ driver: "linux", corefile }, async (plane) => {
      const targets = addresses.map((address) => ({ address, port, mark: 0 }));
      const verdicts = new Float64Array(
        new SharedArrayBuffer(8 * (VERDICTS.FIRST_TARGET + targets.length)),
      );
      const answers = () => verdicts.subarray(VERDICTS.FIRST_TARGET).every((one) => one === 1);
      const buffer = verdicts.buffer;
      const plan = { targets, beats: [], leaveEntries: false, watchdog: null, peers: [] };
      assert.deepEqual(await plane.check({ ...plan, verdicts: buffer }), {});
      assert.equal(verdicts[VERDICTS.ROUNDS], 1);
      assert.ok(answers());
      const restarted = Promise.withResolvers<void>();
      plane.onRestarted = restarted.resolve;
      plane.provoke("throw");
      await restarted.promise;
      const rounds = verdicts[VERDICTS.ROUNDS]!;
      verdicts.fill(VERDICT.UNKNOWN, VERDICTS.FIRST_TARGET);
      await until(() => verdicts[VERDICTS.ROUNDS]! > rounds && answers());
    });
  });

  Deno.test("data plane: it serves between the plugins that it loads for a reload", async () => {
    const port = freePort();
    const block = (more: string) => `.:${port} {\n bind 127.0.0.1\n whoami\n${more}}`;
    const more = ["any", "chaos", "loadbalance", "minimal", "nsid", "bufsize 1232"];
    const text = block(more.map((directive) => ` ${directive}\n`).join(""));
    const { config } = await readConfig({ file: "Corefile", text, defaultPort: 53 }, fakeHost());
    await withDataPlane({ driver: "linux", corefile: block("") }, async (plane) => {
      const turns = () => plane.values[COUNTER.HEARTBEAT]!;
      const before = turns();
      await plane.load(config);
      assert.ok(turns() - before >= more.length, `${turns() - before} turns`);
    });
  });

  Deno.test("data plane: a hang is detected", async () => {
    const port = freePort();
    // A separate process, because a thread that never yields ends only with its process.
    const file = new URL("./hang_probe.ts", import.meta.url);
    const { code, stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", file.pathname, String(port)],
      stdout: "piped",
      stderr: "inherit",
    }).output();
    assert.equal(code, 3);
    assert.match(new TextDecoder().decode(stdout), /has not answered for 5 s/);
  });
}

/** What Prometheus gets of a data plane. */
async function scrape(plane: DataPlane): Promise<string> {
  const build = { version: "1", deno: "2" };
  const registry = new MetricRegistry();
  const source = makeMetricsSource({ planes: [plane], registry, build, clock: systemClock });
  const { body } = await source.serve({
    method: "GET",
    path: "/metrics",
    query: new URLSearchParams(),
    headers: new Map(),
    close: false,
  });
  return new TextDecoder().decode(body as Uint8Array<ArrayBuffer>);
}

/** Sends a query; returns when it is counted, before this thread receives more. */
async function countUnseen(plane: DataPlane, port: number): Promise<Deno.DatagramConn> {
  const socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  const before = plane.values[COUNTER.SERIES]!;
  const to = { transport: "udp", hostname: "127.0.0.1", port } as const;
  await socket.send(queryBytes({ name: "www.example.org" }), to);
  while (plane.values[COUNTER.SERIES]! === before);
  return socket;
}

for (const driver of linux ? ["linux", "portable"] as const : ["portable"] as const) {
  Deno.test(`data plane: a scrape sees what is counted for the first time (${driver})`, async () => {
    const port = freePort();
    const corefile = `.:${port} {\n bind 127.0.0.1\n prometheus 127.0.0.1:0\n whoami\n}`;
    await withDataPlane({ driver, corefile }, async (plane) => {
      await scrape(plane);
      const socket = await countUnseen(plane, port);
      assert.match(await scrape(plane), /^coredns_dns_requests_total\{.*\} 1$/m);
      socket.close();
    });
  });

  Deno.test(`data plane: loads for an operator's request what it needs (${driver})`, async () => {
    const corefile = `.:${freePort()} {\n bind 127.0.0.1\n cache\n forward . 127.0.0.1:9\n}`;
    await withDataPlane({ driver, corefile }, async (plane, logs) => {
      const message = queryBytes({ name: "www.example.org" }).slice().buffer;
      const asked = { message, streamed: false, client: null, listener: null };
      for (let time = 0; time < 2; time++) {
        const said = await plane.explain(asked, 15_000);
        assert.deepEqual(said!.steps.map(({ plugin }) => plugin), ["cache", "forward"]);
      }
      const memory = new SharedArrayBuffer(MAX_SLICE_SIZE);
      const request = { type: "save", memory, from: SNAPSHOT_START } satisfies SaveRequest;
      const saved = await plane.ask({ block: 0, position: 0, request }, 15_000) as SaveReply;
      assert.equal(saved.entries, 0);
      assert.deepEqual(logs.filter((line) => /panic/.test(line)), []);
    });
  });

  Deno.test(`data plane: names of clients survive its thread (${driver})`, async () => {
    const port = freePort();
    const corefile = `.:${port} {\n bind 127.0.0.1\n whoami\n}`;
    await withDataPlane({ driver, corefile }, async (plane) => {
      const query = queryBytes({ name: "www.example.org" });
      const names = [{ address: "127.0.0.1", name: "shop/cart" }];
      plane.nameClients(buildClientTable(names, new HashKey(1, 2)));
      const counted = async () =>
        Number(
          /^nodens_client_queries_total\{client_namespace="shop"\} (\d+)$/m.exec(
            await scrape(plane),
          )?.[1],
        );
      // An answer comes after what was sent before.
      await plane.ask({ block: -1, position: -1, request: null }, 15_000);
      await askUdp(query, { port });
      assert.equal(await counted(), 1);
      if (driver === "portable") return;
      const restarted = Promise.withResolvers<void>();
      plane.onRestarted = restarted.resolve;
      plane.provoke("throw");
      await restarted.promise;
      await askUdp(query, { port });
      assert.equal(await counted(), 2);
    });
  });
}

Deno.test("data plane: one that reports nothing does not hold up a scrape", async () => {
  const port = freePort();
  const corefile = `.:${port} {\n bind 127.0.0.1\n whoami\n}`;
  await withDataPlane({ driver: "portable", corefile }, async (plane) => {
    plane.values[COUNTER.SERIES] = 1000;
    assert.match(await scrape(plane), /^nodens_data_planes 1$/m);
  });
});
