import assert from "node:assert/strict";
import { gunzipSync } from "node:zlib";
import { METRICS } from "../../../src/metrics/catalog.ts";
import { askUdp } from "../../support/processes/drivers.ts";
import { freePort, haveIpv6 } from "../../support/servers/ports.ts";
import { queryBytes } from "../../support/messages/messages.ts";
import { startProcess, type TestProcess } from "../../support/processes/process.ts";
import { skipUnless } from "../../support/run/require.ts";
import { inFolder, run as runNodens } from "./scene.ts";

const ROOT = new URL("../../../", import.meta.url).pathname;
const MAIN = `${ROOT}main.ts`;

interface Scene {
  process: TestProcess;
  folder: string;
  dns: number;
  http: number;
  other: number;
}

/** Runs nodens with a Corefile for the scene's ports. */
async function withNodens(
  options: { corefile: (scene: Omit<Scene, "process" | "folder">) => string; args?: string[] },
  use: (scene: Scene) => Promise<void>,
): Promise<void> {
  const ports = { dns: freePort(), http: freePort(), other: freePort() };
  const args = (options.args ?? []).map((arg) => arg.replace("OTHER", String(ports.other)));
  await inFolder({ Corefile: options.corefile(ports) }, async (folder) => {
    const process = await startProcess(Deno.execPath(), {
      args: ["run", "-A", MAIN, "-conf", `${folder}/Corefile`, ...args],
      ready: (output) => /^nodens \d/m.test(output),
    });
    try {
      await use({ process, folder, ...ports });
    } finally {
      await process.stop();
    }
  });
}

const COREFILE = ({ dns, http }: { dns: number; http: number }) => `
example.org:${dns} {
  bind 127.0.0.1
  prometheus 127.0.0.1:${http}
  health 127.0.0.1:${http}
  ready 127.0.0.1:${http}
  errors
  cache
  acl {
    block type MX
  }
  hosts {
    192.0.2.7 www.example.org
    fallthrough
  }
  forward . 127.0.0.1:1
}
example.net:${dns} {
  bind 127.0.0.1
  prometheus localhost:${http}
  ready 127.0.0.1:${http}
  whoami
}`;

async function run(
  command: string,
  args: string[],
  input?: Uint8Array,
): Promise<{ code: number; out: Uint8Array; text: string; err: string }> {
  const child = new Deno.Command(command, {
    args,
    stdin: input === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const output = child.output();
  if (input !== undefined) {
    const writer = child.stdin.getWriter();
    await writer.write(input);
    await writer.close();
  }
  const { code, stdout, stderr } = await output;
  const decoder = new TextDecoder();
  return { code, out: stdout, text: decoder.decode(stdout), err: decoder.decode(stderr) };
}

const curl = (...args: string[]) => run("curl", ["-sS", "--max-time", "10", ...args]);

Deno.test({
  name: "curl and promtool accept metrics in both formats, gzip, health, ready and healthcheck",
  ...skipUnless("curl", "promtool"),
  async fn() {
    await withNodens({ corefile: COREFILE }, async ({ dns, http }) => {
      for (const name of ["www.example.org", "away.example.org", "www.example.net", "other"]) {
        await askUdp(queryBytes({ name }), { port: dns });
      }
      await askUdp(queryBytes({ name: "www.example.org", type: "MX" }), { port: dns });
      const base = `http://127.0.0.1:${http}`;

      const plain = await curl("-i", `${base}/metrics`);
      assert.match(plain.text, /^content-type: text\/plain; version=0\.0\.4; charset=utf-8\r$/m);
      const body = plain.text.slice(plain.text.indexOf("\r\n\r\n") + 4);
      const checked = await run("promtool", ["check", "metrics"], new TextEncoder().encode(body));
      assert.deepEqual([checked.code, checked.text, checked.err], [0, "", ""]);
      assert.match(
        body,
        new RegExp(
          `^coredns_dns_responses_total\\{server="dns://127\\.0\\.0\\.1:${dns}",` +
            'zone="example\\.org\\.",view="",rcode="REFUSED",plugin="acl"\\} 1$',
          "m",
        ),
      );
      for (const [, name] of body.matchAll(/^# TYPE (\w+)/gm)) assert.ok(METRICS.has(name!), name!);
      const value = (name: string) => Number(new RegExp(`^${name} (\\S+)$`, "m").exec(body)![1]);
      assert.ok(value("process_resident_memory_bytes") > 1e7);
      assert.ok(
        value("process_open_fds") > 5 && value("process_open_fds") < value("process_max_fds"),
      );
      assert.ok(Math.abs(value("process_start_time_seconds") - Date.now() / 1000) < 600);

      const open = await curl(
        "-H",
        "Accept: application/openmetrics-text",
        "-i",
        `${base}/metrics`,
      );
      assert.match(open.text, /^content-type: application\/openmetrics-text; version=1\.0\.0/m);
      assert.match(open.text, /\n# EOF\n$/);

      const packed = await curl("-H", "Accept-Encoding: gzip", `${base}/metrics`);
      assert.match(gunzipSync(packed.out).toString(), /^coredns_build_info\{/m);
      assert.match((await curl("--compressed", `${base}/metrics`)).text, /^coredns_build_info\{/m);
      const head = await curl("-I", "-H", "Accept-Encoding: br", `${base}/metrics`);
      assert.doesNotMatch(head.text, /content-encoding/i);

      assert.equal((await curl(`${base}/health`)).text, "OK");
      assert.equal((await curl(`${base}/ready`)).text, "OK");
      const status = ["-o", "/dev/null", "-w", "%{http_code}"];
      assert.equal((await curl(...status, `${base}/other`)).text, "404");
      assert.equal((await curl(...status, "-X", "POST", `${base}/health`)).text, "405");

      const healthcheck = (...args: string[]) => runNodens(["healthcheck", ...args]);
      const well = await healthcheck(`127.0.0.1:${http}`);
      assert.deepEqual([well.code, well.out], [0, `${base}/health: 200 OK\n`]);
      const wrong = await healthcheck(`${base}/nothing`);
      assert.equal(wrong.code, 1);
      assert.match(wrong.out, /^http:\S+\/nothing: 404 not found; try .*\n$/);
      const gone = await healthcheck(`:${freePort()}`);
      assert.equal(gone.code, 1);
      assert.match(gone.out, /^http:\S+: Connection refused\n$/);
      assert.equal((await healthcheck("localhost")).code, 2);
    });
  },
});

Deno.test({
  name: "a real Prometheus scrapes nodens",
  ...skipUnless("prometheus"),
  async fn() {
    await withNodens({ corefile: COREFILE }, async ({ dns, http, other, folder }) => {
      for (let i = 0; i < 3; i++) {
        await askUdp(queryBytes({ name: "a.example.net" }), { port: dns });
      }
      Deno.writeTextFileSync(
        `${folder}/prometheus.yml`,
        `global: { scrape_interval: 200ms }
rule_files: ["${ROOT}deploy/prometheus/nodens.rules.yml"]
scrape_configs:
  - job_name: nodens
    static_configs: [{ targets: ["127.0.0.1:${http}"] }]
`,
      );
      const prometheus = await startProcess("prometheus", {
        args: [
          `--config.file=${folder}/prometheus.yml`,
          `--storage.tsdb.path=${folder}/data`,
          `--web.listen-address=127.0.0.1:${other}`,
        ],
        ready: (output) => output.includes("ready to receive web requests"),
      });
      try {
        const query = async (text: string) => {
          const url = `http://127.0.0.1:${other}/api/v1/query?query=${encodeURIComponent(text)}`;
          const { data } = await (await fetch(url)).json();
          return data.result as { metric: Record<string, string>; value: [number, string] }[];
        };
        const limitMs = performance.now() + 15_000;
        const requests = 'coredns_dns_requests_total{zone="example.net.",type="A"}';
        let found = await query(requests);
        while (found.length === 0 && performance.now() < limitMs) {
          await new Promise((resolve) => setTimeout(resolve, 100));
          found = await query(requests);
        }
        assert.equal(found[0]?.value[1], "3", prometheus.output);
        assert.equal(found[0]!.metric["server"], `dns://127.0.0.1:${dns}`);
        assert.equal((await query("up"))[0]!.value[1], "1");
        const quantile = "histogram_quantile(0.9, sum by (le) (" +
          "coredns_dns_request_duration_seconds_bucket))";
        assert.ok(Number((await query(quantile))[0]!.value[1]) > 0);
      } finally {
        await prometheus.stop();
      }
    });
  },
});

Deno.test({
  name: "promtool accepts the alert rules",
  ...skipUnless("promtool"),
  async fn() {
    const rules = `${ROOT}deploy/prometheus/nodens.rules.yml`;
    const { code, text, err } = await run("promtool", ["check", "rules", rules]);
    assert.equal(code, 0, text + err);
    assert.match(text, /SUCCESS: \d+ rules found/);
  },
});

Deno.test("metrics are served at the flags' addresses without a directive", async () => {
  const corefile = ({ dns }: { dns: number }) => `.:${dns} {\n bind 127.0.0.1\n whoami\n}\n`;
  const metrics = freePort();
  const args = ["-extra-metrics-address", "localhost:OTHER", "-metrics-listen-address"];
  await withNodens({ corefile, args: [...args, `:${metrics}`] }, async ({ dns, other }) => {
    await askUdp(queryBytes({ name: "www.example.org" }), { port: dns });
    // A port without an address means all addresses, of both families if the host has both.
    const hosts = haveIpv6() ? ["127.0.0.1", "[::1]"] : ["127.0.0.1"];
    for (const host of hosts) {
      assert.equal((await fetch(`http://${host}:${metrics}/metrics`)).status, 200);
    }
    const text = await (await fetch(`http://127.0.0.1:${other}/metrics`)).text();
    assert.match(text, /^nodens_queries_total\{proto="udp"\} 1$/m);
    assert.doesNotMatch(text, /^coredns_dns_requests_total/m);
  });
});

Deno.test("-prometheus-listen-address without a template is a warning, and serves nothing", async () => {
  const corefile = ({ dns }: { dns: number }) => `.:${dns} {\n bind 127.0.0.1\n whoami\n}\n`;
  const args = ["-prometheus-listen-address", "127.0.0.1:OTHER"];
  await withNodens({ corefile, args }, async ({ other, process }) => {
    assert.match(
      process.output,
      /\[WARNING\] -prometheus-listen-address has no effect: .*-extra-metrics/,
    );
    await assert.rejects(fetch(`http://127.0.0.1:${other}/metrics`));
  });
});

Deno.test("health checks both of two workers, and metrics are their sums", async () => {
  await withNodens({ corefile: COREFILE, args: ["-workers", "2"] }, async ({ dns, http }) => {
    for (let i = 0; i < 20; i++) await askUdp(queryBytes({ name: "a.example.net" }), { port: dns });
    assert.equal((await fetch(`http://127.0.0.1:${http}/health`)).status, 200);
    const text = await (await fetch(`http://127.0.0.1:${http}/metrics`)).text();
    assert.match(text, /^coredns_dns_requests_total\{.*zone="example\.net\.".*type="A"\} 20$/m);
    assert.match(text, /^nodens_data_planes 2$/m);
    assert.match(text, /^coredns_health_request_failures_total 0$/m);
  });
});

Deno.test("an HTTP address in use is an error that names the address", async () => {
  const http = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = http.addr as Deno.NetAddr;
  const dns = freePort();
  for (const directive of ["prometheus", "health", "ready"]) {
    const text = `.:${dns} {\n bind 127.0.0.1\n ${directive} 127.0.0.1:${port}\n whoami\n}\n`;
    await inFolder({ Corefile: text }, async (folder) => {
      const { code, err } = await runNodens(["-conf", `${folder}/Corefile`]);
      assert.equal(code, 1);
      const inUse = new RegExp(`^Cannot listen on 127\\.0\\.0\\.1:${port} \\(HTTP\\): .*in use`);
      assert.match(err, inUse);
    });
  }
  http.close();
  const flag = await runNodens(["-metrics-listen-address", "9353"]);
  assert.equal(flag.code, 2);
  assert.match(flag.err, /flag -metrics-listen-address: "9353" is not an address/);
});

Deno.test("lameduck: nodens is healthy but not ready, then ends", async () => {
  const corefile = ({ dns, http }: { dns: number; http: number }) =>
    `.:${dns} {
      bind 127.0.0.1
      health 127.0.0.1:${http} {
        lameduck 2s
      }
      ready 127.0.0.1:${http}
      whoami
    }`;
  await withNodens({ corefile }, async ({ dns, http, process }) => {
    const get = async (path: string) =>
      await (await fetch(`http://127.0.0.1:${http}${path}`)).text();
    assert.equal(await get("/ready"), "OK");
    Deno.kill(process.pid, "SIGTERM");
    while (await get("/ready") === "OK") await new Promise((resolve) => setTimeout(resolve, 10));
    assert.equal(await get("/ready"), "Shutting down\n");
    assert.equal(await get("/health"), "OK");
    await askUdp(queryBytes({ name: "www.example.org" }), { port: dns });
    assert.equal((await process.ended).code, 0);
    assert.match(process.output, /stopping in 2 s \(lameduck\)/);
  });
});
