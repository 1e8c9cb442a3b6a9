import assert from "node:assert/strict";
import { shareFiles } from "../../src/io/file_shares.ts";
import { decode, queryBytes } from "../support/messages/messages.ts";
import { answerWith, askUdp, readFrames, startUpstream } from "../support/processes/drivers.ts";
import { folderWith, serving } from "../support/processes/serving.ts";
import { skipUnless, skipUnlessLinux } from "../support/run/require.ts";
import { askMisses } from "../support/servers/misses.ts";
import { freePort } from "../support/servers/ports.ts";
import { frame } from "../support/simulation/simulation.ts";

const MISSES = 200;
const SCRAPE = new TextEncoder().encode("GET /metrics HTTP/1.1\r\n");

interface Rig {
  port: number;
  http: number;
  out: () => string;
  /** Opens connections and sends `bytes` on each; the server may close them. */
  hoard(port: number, count: number, bytes?: Uint8Array): Promise<Deno.TcpConn[]>;
  limit(files: number): Promise<void>;
  rcode(name: string): Promise<string>;
  get(path: string): Promise<{ status: number; text: string }>;
}

async function withLimit(
  { files, args = [] }: { files: number; args?: string[] },
  use: (rig: Rig) => Promise<void>,
): Promise<void> {
  const [port, http, upstreamPort] = [freePort(), freePort(), freePort()];
  const upstream = startUpstream(upstreamPort, answerWith("192.0.2.7"));
  const folder = folderWith({
    Corefile: `.:${port} {\n bind 127.0.0.1\n cache\n health 127.0.0.1:${http}\n` +
      ` prometheus 127.0.0.1:${http}\n reload 2s\n forward . 127.0.0.1:${upstreamPort}\n}\n`,
  });
  const hoarded: Deno.TcpConn[] = [];
  try {
    const code = await serving(["-conf", `${folder}/Corefile`, ...args], (out, { pid }) =>
      use({
        port,
        http,
        out,
        async hoard(port, count, bytes) {
          for (let i = 0; i < count; i++) {
            const connection = await Deno.connect({ hostname: "127.0.0.1", port });
            if (bytes !== undefined) await connection.write(bytes).catch(() => {});
            hoarded.push(connection);
          }
          return hoarded.slice(-count);
        },
        async limit(files) {
          const args = ["--pid", String(pid), `--nofile=${files}:4096`];
          assert.ok((await new Deno.Command("prlimit", { args }).output()).success);
        },
        rcode: async (name) => decode(await askUdp(queryBytes({ name }), { port })).rcode!,
        async get(path) {
          const response = await fetch(`http://127.0.0.1:${http}${path}`);
          return { status: response.status, text: await response.text() };
        },
      }), { files });
    assert.equal(code, 0);
  } finally {
    for (const connection of hoarded) connection.close();
    await upstream.close();
    Deno.removeSync(folder, { recursive: true });
  }
}

for (const files of [256, 1024, 4096]) {
  Deno.test({
    name: `clients that hoard connections at ${files} descriptors do not exclude others`,
    ...skipUnlessLinux(),
    fn: () =>
      withLimit({ files }, async ({ port, http, out, hoard, rcode, get }) => {
        const { clientStreams } = shareFiles(files, { listeners: 2 });
        await hoard(port, clientStreams + 50);
        await hoard(http, 200, SCRAPE);
        assert.deepEqual(await askMisses({ port, count: MISSES }), { NOERROR: MISSES });
        assert.equal(await rcode("miss0.example.org"), "NOERROR");
        assert.equal((await get("/health")).status, 200);
        const { text } = await get("/metrics");
        const open = Number(/^process_open_fds (\d+)$/m.exec(text)![1]);
        assert.ok(open <= files, `${open} descriptors of ${files}`);
        assert.match(text, /^nodens_http_accept_failures_total 0$/m);
        assert.match(out(), new RegExp(`${files} file descriptors .* ${clientStreams} TCP`));
      }),
  });
}

Deno.test({
  name: "without free descriptors nodens answers hits, and recovers later",
  ...skipUnless("prlimit"),
  fn: () =>
    withLimit({ files: 4096 }, async ({ port, http, hoard, limit, rcode, get }) => {
      assert.equal(await rcode("hit.example.org"), "NOERROR");
      // Below the number of open ones: nothing can be opened.
      await limit(10);
      await hoard(http, 10, SCRAPE);
      await hoard(port, 10);
      for (let i = 0; i < 20; i++) {
        assert.equal(await rcode("hit.example.org"), "NOERROR");
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      await limit(4096);
      assert.deepEqual(await askMisses({ port, count: 100 }), { NOERROR: 100 });
      assert.match((await get("/metrics")).text, /^nodens_http_accept_failures_total [1-9]/m);
      while ((await get("/health")).status !== 200);
    }),
});

Deno.test({
  name: "portable: connections wait for descriptors and are then answered",
  ...skipUnless("prlimit"),
  fn: () =>
    withLimit({ files: 4096, args: ["-io", "portable"] }, async (rig) => {
      const { port, hoard, limit, rcode } = rig;
      assert.equal(await rcode("hit.example.org"), "NOERROR");
      await limit(10);
      const connections = await hoard(port, 10, frame(queryBytes({ name: "hit.example.org" })));
      for (let i = 0; i < 10; i++) {
        assert.equal(await rcode("hit.example.org"), "NOERROR");
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      await limit(4096);
      for (const connection of connections) {
        const { value } = await readFrames(connection).next();
        assert.equal(decode(value!).rcode, "NOERROR");
      }
    }),
});
