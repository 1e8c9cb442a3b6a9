import assert from "node:assert/strict";
import { mustRun } from "../../release/command.ts";
import { systemClock } from "../../src/base/clock.ts";
import { callCommand } from "../support/doubles/command_call.ts";
import type { Config } from "../../src/config/types.ts";
import { loadConfig } from "../../src/loading/load.ts";
import type { DataPlane } from "../../src/control/plane/data_plane.ts";
import { probeQuery } from "../../src/engine/question/probe.ts";
import type { Status } from "../../src/control/endpoints/status.ts";
import { StatusSource } from "../../src/control/endpoints/status_source.ts";
import { askUdp, startUpstream, withDataPlane } from "../support/processes/drivers.ts";
import { freePort } from "../support/servers/ports.ts";
import { fakeHost } from "../support/doubles/fake_host.ts";
import { startNodens } from "../support/processes/nodens.ts";
import { decode, queryBytes, responseBytes, soa } from "../support/messages/messages.ts";
import { driversHere } from "../support/run/require.ts";

const MAIN = new URL("../../main.ts", import.meta.url).pathname;

const status = (...args: string[]) => callCommand("status", args);

async function withServer(
  handler: (request: Request) => Response | Promise<Response>,
  use: (address: string) => Promise<void>,
): Promise<void> {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, handler);
  try {
    await use(`127.0.0.1:${server.addr.port}`);
  } finally {
    await server.shutdown();
  }
}

const USAGE: { args: string[]; message: RegExp }[] = [
  { args: ["a", "b"], message: /unexpected argument "b"\nUsage: nodens status / },
  { args: ["localhost:0"], message: /"localhost:0" is not an address \(write localhost:9153/ },
  { args: ["::1"], message: /"::1" is not an address/ },
  { args: ["https://localhost:1"], message: /is not an address/ },
  { args: ["localhost:99999"], message: /is not an address/ },
  { args: ["-timeout", "0"], message: /-timeout: 0 is out of range \(1 to 3600\)/ },
  { args: ["-jsn"], message: /unknown flag -jsn \(did you mean "-json"\?\)/ },
];

for (const { args, message } of USAGE) {
  Deno.test(`status refuses ${args.join(" ")}`, async () => {
    const { code, out, err } = await status(...args);
    assert.equal(code, 2);
    assert.equal(out, "");
    assert.match(err, message);
  });
}

Deno.test("status suggests a remedy if nothing listens", async () => {
  const port = freePort();
  const { code, out, err } = await status(`127.0.0.1:${port}`);
  assert.deepEqual({ code, out }, { code: 1, out: "" });
  assert.match(
    err,
    new RegExp(
      `^nodens status: cannot get http://127\\.0\\.0\\.1:${port}/status: nothing listens there ` +
        `\\(nodens serves it if its Corefile has "prometheus";`,
    ),
  );
  assert.match((await status("nosuch.invalid")).err, /:9153\/status: /);
});

Deno.test("status and healthcheck: localhost is 127.0.0.1 without a resolver", async () => {
  const original = globalThis.fetch;
  const asked: string[] = [];
  globalThis.fetch = (url) => {
    asked.push(String(url));
    return Promise.reject(new TypeError("connection refused"));
  };
  try {
    assert.match((await status()).err, /cannot get http:\/\/localhost:9153\/status: nothing/);
    await status("localhost:9253");
    await status(":9253");
    await status("[::1]:9253");
    await status("localhost.example.org:9253");
    await callCommand("healthcheck", ["localhost:8080"]);
  } finally {
    globalThis.fetch = original;
  }
  assert.deepEqual(asked, [
    "http://127.0.0.1:9153/status",
    "http://127.0.0.1:9253/status",
    "http://127.0.0.1:9253/status",
    "http://[::1]:9253/status",
    "http://localhost.example.org:9253/status",
    "http://127.0.0.1:8080/health",
  ]);
});

const STRANGERS: { title: string; response: () => Response | Promise<Response>; err: RegExp }[] = [
  {
    title: "has no /status",
    response: () => new Response("no", { status: 404 }),
    err: /has no \/status for this machine: .*loopback.* "kubectl exec POD -- nodens status"/,
  },
  {
    title: "refuses the name",
    response: () => new Response("no", { status: 403 }),
    err: /shows no status under this name, .*: write localhost:\d+/,
  },
  {
    title: "is out of order",
    response: () => new Response("no", { status: 500 }),
    err: /answers 500 to \/status: that is not nodens/,
  },
  {
    title: "answers with a page",
    response: () => new Response("<html>"),
    err: /answers, but not with a status/,
  },
  {
    title: "answers with other JSON",
    response: () => new Response('{"a":1}'),
    err: /answers, but not with a status/,
  },
  {
    title: "has a status of another shape",
    response: () => new Response('{"blocks":[]}'),
    err: /this is not the status of a nodens of this version: .* \(-json shows it\)/,
  },
];

for (const { title, response, err } of STRANGERS) {
  Deno.test(`status recognizes a server that ${title}`, async () => {
    await withServer(response, async (address) => {
      const result = await status(address);
      assert.equal(result.code, 1);
      assert.match(result.err, err);
    });
  });
}

Deno.test("status gives up after -timeout", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  const accepted = listener.accept();
  const { code, err } = await status("-timeout", "1", `127.0.0.1:${port}`);
  assert.equal(code, 1);
  assert.match(err, /has not answered within 1 s/);
  (await accepted).close();
  listener.close();
});

function sourceOf(config: Config, plane: DataPlane): StatusSource {
  return new StatusSource(config, {
    version: "1.2.3",
    driver: "test",
    planes: [plane],
    logger: { droppedLines: 0 },
    clock: systemClock,
  });
}

for (const driver of driversHere()) {
  Deno.test(`status of a real data plane (${driver}) shows the cache and failing upstreams`, async () => {
    const [port, good, bad] = [freePort(), freePort(), freePort()];
    const upstream = startUpstream(
      good,
      (query) => responseBytes(decode(query), { rcode: 3, authorities: [soa("test")] }),
    );
    const corefile = `.:${port} {\n bind 127.0.0.1\n cache\n forward . 127.0.0.1:${good}\n}\n` +
      `bad.test:${port} {\n bind 127.0.0.1\n forward . 127.0.0.1:${bad} {\n  max_fails 1\n }\n}\n` +
      `who.test:${port} {\n bind 127.0.0.1\n whoami\n}\n`;
    const source = { file: "Corefile", text: corefile, defaultPort: 53 };
    const { config } = loadConfig(source, fakeHost());
    await withDataPlane({ driver, corefile }, async (plane) => {
      const statuses = sourceOf(config, plane);
      const respond = async () => new Response((await statuses.respond()).body);
      await withServer(respond, async (address) => {
        for (const name of ["a.test", "a.test", "b.test", "c.who.test"]) {
          await askUdp(queryBytes({ name }), { port });
        }
        await askUdp(queryBytes({ name: "x.bad.test" }), { port, limitMs: 10_000 });
        await askUdp(probeQuery(7), { port });
        const { code, out, err } = await status("--json", address);
        assert.equal(err, "");
        assert.equal(code, 0);
        const { blocks, queries, dataPlanes } = JSON.parse(out) as Status;
        assert.equal(queries.udp, 5);
        assert.equal(dataPlanes[0]!.answers, true);
        const { cache, forwards } = blocks[0]!;
        assert.equal(cache!.requests, 3);
        assert.equal(cache!.hits, 1);
        assert.equal(cache!.denial.entries, 2);
        const { rttMs, ...well } = forwards[0]!.upstreams[0]!;
        const counts = { replies: 2, failures: 0 };
        assert.deepEqual(well, { to: `127.0.0.1:${good}`, state: "up", forced: null, ...counts });
        assert.equal(typeof rttMs, "number");
        const ill = blocks[1]!.forwards[0]!.upstreams[0]!;
        assert.match(ill.state, /^(suspect|down)$/);
        assert.ok(ill.failures > 0);
        assert.equal(ill.rttMs, null);

        const args = ["run", "-A", MAIN, "status", `http://${address}/status`];
        const text = await mustRun(Deno.execPath(), args);
        assert.match(text, /^Data plane: answers /m);
        assert.match(text, new RegExp(`^\\. +127\\.0\\.0\\.1:${good} +up +[\\d.]+ ms +2 +0$`, "m"));
        assert.match(
          text,
          new RegExp(`^bad\\.test\\. +127\\.0\\.0\\.1:${bad} +(suspect|down) `, "m"),
        );
      });
    });
    await upstream.close();
  });
}

Deno.test("status: a data plane that does not answer is marked", async () => {
  const corefile = `.:${freePort()} {\n bind 127.0.0.1\n whoami\n}\n`;
  const { config } = loadConfig({ file: "Corefile", text: corefile, defaultPort: 53 }, fakeHost());
  await withDataPlane({ driver: "portable", corefile }, async (plane) => {
    const statuses = sourceOf(config, plane);
    assert.equal((await statuses.collect()).dataPlanes[0]!.answers, true);
    plane.ask = () => Promise.reject(new Error("the data plane has not answered within 500 ms"));
    const { dataPlanes, blocks } = await statuses.collect();
    assert.equal(dataPlanes[0]!.answers, false);
    assert.equal(blocks.length, 1);
  });
});

Deno.test("status over HTTP does not quote a refused Corefile", async () => {
  const corefile = `.:${freePort()} {\n bind 127.0.0.1\n whoami\n}\n`;
  const { config } = loadConfig({ file: "Corefile", text: corefile, defaultPort: 53 }, fakeHost());
  await withDataPlane({ driver: "portable", corefile }, async (plane) => {
    const statuses = sourceOf(config, plane);
    const faults = ["/etc/shadow:1: unknown directive root:$6$hash", "root:$6$hash cannot be read"];
    statuses.reload = { at: "2026-01-02T00:00:00.000Z", ok: false, faults };
    const { body } = await statuses.respond();
    const { reload } = JSON.parse(new TextDecoder().decode(body as Uint8Array)) as Status;
    assert.deepEqual(reload!.faults, [
      "/etc/shadow:1: the log says what is wrong",
      "the new Corefile: the log says what is wrong",
    ]);
    assert.equal((await statuses.collect()).reload!.faults, faults);
  });
});

Deno.test("status finds nodens by the address of prometheus or of a flag", async () => {
  const [metrics, more] = [freePort(), freePort()];
  const nodens = await startNodens({
    args: ["-extra-metrics-address", `127.0.0.1:${more}`],
    corefile: (port) =>
      `.:${port} {\n bind 127.0.0.1\n prometheus 127.0.0.1:${metrics}\n log\n whoami\n}\n`,
  });
  try {
    await askUdp(queryBytes({ name: "example.org" }), { port: nodens.port });
    for (const port of [metrics, more]) {
      const { code, out, err } = await status("--json", `127.0.0.1:${port}`);
      assert.deepEqual({ code, err }, { code: 0, err: "" });
      const { pid, version, queries, listeners, corefile } = JSON.parse(out) as Status;
      assert.equal(pid, nodens.pid);
      assert.match(version, /^\d+\.\d+\.\d+$/);
      assert.equal(queries.udp, 1);
      assert.equal(corefile, nodens.file);
      assert.deepEqual(listeners, [{ address: "127.0.0.1", port: nodens.port, zones: ["."] }]);
    }
    const scraped = await fetch(`http://127.0.0.1:${metrics}/metrics`);
    assert.match(await scraped.text(), /^nodens_log_lines_dropped_total 0$/m);
  } finally {
    await nodens.stop();
  }
});
