import assert from "node:assert/strict";
import { systemClock } from "../../src/base/clock.ts";
import { loadConfig } from "../../src/loading/load.ts";
import { denoHost } from "../../src/control/host_deno.ts";
import { Logger } from "../../src/control/log/logger.ts";
import { watch } from "../../src/control/observe/watch.ts";
import { Server } from "../../src/control/server.ts";
import { MetricRegistry } from "../../src/metrics/registry.ts";
import { askUdp } from "../support/processes/drivers.ts";
import { freePort } from "../support/servers/ports.ts";
import { until } from "../support/run/until.ts";
import { makeAuthority } from "../support/servers/certificates.ts";
import { a, decode, queryBytes, responseBytes } from "../support/messages/messages.ts";
import { isLinux, skipUnless } from "../support/run/require.ts";
import { startTls } from "../support/servers/tls_servers.ts";

const driver = isLinux() ? "linux" : "portable";

const load = (text: string) => loadConfig({ file: "Corefile", text, defaultPort: 53 }, denoHost);

async function withServer(
  corefile: string,
  use: (server: Server) => Promise<void>,
  { workers = 1, expected = [] }: { workers?: number; expected?: readonly RegExp[] } = {},
) {
  const lines: string[] = [];
  const write = (bytes: Uint8Array) => {
    lines.push(new TextDecoder().decode(bytes));
    return Promise.resolve(bytes.length);
  };
  const server = new Server(load(corefile).config, {
    driver,
    workers,
    clock: systemClock,
    isBeside: () => false,
    inherited: null,
    onHarm: () => {},
    marks: { upstream: 0, probe: 0 },
    registry: new MetricRegistry(),
    logger: new Logger(undefined, { write } as ConstructorParameters<typeof Logger>[1]),
    logsFields: false,
    observes: true,
    metricsAddresses: [],
    build: { version: "0", deno: "0" },
    onDead: (why) => {
      throw new Error(why);
    },
  });
  await server.start();
  try {
    await use(server);
  } finally {
    await server.stop(Promise.resolve());
  }
  const told = lines.filter((line) => /panic|ERROR/i.test(line));
  assert.equal(told.length, expected.length, told.join(""));
  expected.forEach((what, i) => assert.match(told[i]!, what));
}

async function addressOf(name: string, port: number): Promise<string | undefined> {
  const answer = decode(await askUdp(queryBytes({ name }), { port }));
  return (answer.answers?.[0] as { data: string } | undefined)?.data;
}

async function countingLooks(path: string, use: (looks: () => number) => Promise<void>) {
  const { stat } = Deno;
  let looks = 0;
  Deno.stat = (asked) => {
    if (asked === path) looks++;
    return stat(asked);
  };
  try {
    await use(() => looks);
  } finally {
    Deno.stat = stat;
  }
}

Deno.test("a file changed during a reload is delivered to the right block", async () => {
  const folder = Deno.makeTempDirSync({ prefix: "nodens_test_" });
  const port = freePort();
  const [first, second] = [`${folder}/first`, `${folder}/second`];
  const block = (zone: string, path: string) =>
    `${zone}:${port} {\n bind 127.0.0.1\n hosts ${path} . {\n reload 20ms\n }\n}\n`;
  const blocks = [block("a.test", first), block("b.test", second)];
  try {
    Deno.writeTextFileSync(first, "192.0.2.1 www.a.test\n");
    Deno.writeTextFileSync(second, "192.0.2.2 www.b.test\n");
    await withServer(blocks.join(""), async (server) => {
      const [plane] = server.planes;
      const commit = plane!.commit.bind(plane);
      plane!.commit = async (...change) => {
        await commit(...change);
        await countingLooks(first, async (looks) => {
          Deno.writeTextFileSync(first, "192.0.2.11 www.a.test # now\n");
          await until(() => looks() > 1, "a look at the file");
        });
      };
      await server.change(load(blocks.toReversed().join("")));
      assert.equal(await addressOf("www.b.test", port), "192.0.2.2");
      let address: string | undefined;
      for (let i = 0; i < 500 && address !== "192.0.2.11"; i++) {
        address = await addressOf("www.a.test", port);
      }
      assert.equal(address, "192.0.2.11");
    });
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

// A thread of the portable driver cannot be made to fail from outside.
for (const workers of driver === "linux" ? [1, 2] : []) {
  Deno.test(`${workers} data planes serve hosts files, and so do their replacements`, async () => {
    const folder = Deno.makeTempDirSync({ prefix: "nodens_test_" });
    const port = freePort();
    const path = `${folder}/hosts`;
    const corefile = (ttl: number) =>
      `.:${port} {\n bind 127.0.0.1\n hosts ${path} {\n ttl ${ttl}\n reload 20ms\n }\n}\n`;
    const list = Array.from({ length: 5000 }, (_, i) => `192.0.2.1 n${i}.test\n`).join("");
    const askAll = async (name: string, address: string) => {
      // The kernel spreads source ports over the data planes.
      for (let i = 0; i < 8; i++) assert.equal(await addressOf(name, port), address);
    };
    try {
      Deno.writeTextFileSync(path, list);
      await withServer(corefile(60), async (server) => {
        await askAll("n4999.test", "192.0.2.1");
        for (const plane of server.planes) {
          const again = new Promise<void>((resolve) => plane.onRestarted = resolve);
          plane.provoke("throw");
          await again;
        }
        await askAll("n4999.test", "192.0.2.1");
        await server.change(load(corefile(120)));
        await askAll("n4999.test", "192.0.2.1");
        // An unreadable file: the table is still served, also after a reload.
        Deno.removeSync(path);
        await server.change(load(corefile(30)));
        await askAll("n4999.test", "192.0.2.1");
        Deno.writeTextFileSync(path, list.replaceAll("192.0.2.1 ", "192.0.2.2 "));
        let address: string | undefined;
        for (let i = 0; i < 1000 && address !== "192.0.2.2"; i++) {
          address = await addressOf("n4999.test", port);
        }
        assert.equal(address, "192.0.2.2");
      }, { workers, expected: Array(workers).fill(/the data plane failed: .*asked to fail/) });
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  });
}

for (const workers of driver === "linux" ? [1, 2] : []) {
  Deno.test(`what operators set and watch outlasts the threads of ${workers} data planes`, async () => {
    const port = freePort();
    const corefile = `.:${port} {
      bind 127.0.0.1
      whoami
    }
    example.test:${port} {
      forward . 127.0.0.1:9 127.0.0.2:9
    }`;
    await withServer(corefile, async (server) => {
      const gone = new AbortController();
      const call = async (name: string, given: Record<string, string> = {}) => {
        const verb = server.verbs.find((verb) => verb.name === name)!;
        const parameters = new Map(Object.entries(given));
        return await verb.run({ parameters, config: server.config, gone: gone.signal });
      };
      const filter = { client: null, zone: null, rcodes: [], slowMs: 0, sample: 1 };
      const { planes } = server;
      const lines = await watch(filter, {
        ...{ planes, nameClient: () => null, clock: systemClock, gone: gone.signal },
      });
      await call("upstreams/set", { to: "127.0.0.1", state: "down", force: "true" });
      for (const plane of planes) {
        const again = new Promise<void>((resolve) => plane.onRestarted = resolve);
        plane.provoke("throw");
        await again;
      }
      const seen: unknown[] = [];
      for await (const line of lines) {
        seen.push(line);
        if ("name" in line) break;
        await addressOf("www.example.org", port);
      }
      assert.deepEqual(seen[0], { lost: null });
      assert.equal((seen.at(-1) as { name: string }).name, "www.example.org.");
      const states = await Promise.all(
        planes.map((plane) =>
          plane.ask({ block: 1, position: 0, request: { type: "upstreams" } }, 5000)
        ),
      ) as { to: string; forced: string | null }[][];
      assert.deepEqual(
        states.map((all) => all.map(({ forced }) => forced)),
        planes.map(() => [
          "down",
          null,
        ]),
      );
    }, { workers, expected: Array(workers).fill(/the data plane failed: .*asked to fail/) });
  });
}

Deno.test({
  name: "the TLS thread runs while the configuration has an upstream over TLS",
  ...skipUnless("openssl"),
  // Sockets of node:tls are released shortly after their close event.
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    const authority = makeAuthority();
    const upstream = await startTls(authority.issue("DNS:dns.example.org"), {
      answer(bytes) {
        const query = decode(bytes);
        return responseBytes(query, { answers: [a(query.questions![0]!.name, "192.0.2.7")] });
      },
    });
    const port = freePort();
    const plain = `.:${port} {\n bind 127.0.0.1\n whoami\n}`;
    const encrypted = `.:${port} {\n bind 127.0.0.1\n forward . tls://127.0.0.1:${upstream.port} {
  tls ${authority.caFile}\n  tls_servername dns.example.org\n }\n}`;
    await withServer(plain, async (server) => {
      assert.equal(server.tls.running, false);
      await server.change(load(encrypted));
      assert.equal(server.tls.running, true);
      assert.equal(await addressOf("www.example.org", port), "192.0.2.7");
      await server.change(load(plain));
      await until(() => !server.tls.running);
      await server.change(load(encrypted));
      assert.equal(await addressOf("again.example.org", port), "192.0.2.7");
      assert.equal(server.tls.restarts, 0);
    });
    await upstream.close();
    authority.remove();
  },
});
