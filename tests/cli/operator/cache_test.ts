import assert from "node:assert/strict";
import { a, decode, queryBytes, responseBytes, soa } from "../../support/messages/messages.ts";
import { askUdp, startUpstream } from "../../support/processes/drivers.ts";
import { driversHere, skipUnlessLinux } from "../../support/run/require.ts";
import { withFolder } from "../../support/run/folder.ts";
import { until } from "../../support/run/until.ts";
import { freePort } from "../../support/servers/ports.ts";
import { run, serve } from "../serve/scene.ts";

/** A nodens in front of an upstream that denies names that begin with "no". */
async function withCache(
  use: (scene: {
    ask: (name: string) => Promise<void>;
    nodens: (...args: string[]) => Promise<{ code: number; out: string; err: string }>;
    out: () => string;
  }) => Promise<void>,
  { workers = 1, io = "auto" } = {},
): Promise<void> {
  const [port, upstreamPort] = [freePort(), freePort()];
  const upstream = startUpstream(upstreamPort, (bytes) => {
    const query = decode(bytes);
    const { name } = query.questions![0]!;
    if (name.startsWith("no")) {
      return responseBytes(query, { rcode: 3, authorities: [soa("example.org", 60)] });
    }
    return responseBytes(query, { answers: [a(name, "192.0.2.7", 300)] });
  });
  const corefile = `.:${port} {\n bind 127.0.0.1\n cache\n` +
    ` forward . 127.0.0.1:${upstreamPort}\n}\n`;
  await withFolder(async (folder) => {
    const control = `${folder}/control.sock`;
    await serve(corefile, async (out) => {
      await until(() => [...Deno.readDirSync(folder)].some(({ name }) => name === "control.sock"));
      await use({
        ask: async (name) => void await askUdp(queryBytes({ name }), { port, limitMs: 15_000 }),
        nodens: (verb, ...args) => run([verb!, "-control", control, ...args]),
        out,
      });
    }, { args: ["-control", control, "-workers", String(workers), "-io", io] });
  });
  await upstream.close();
}

for (const io of driversHere()) {
  Deno.test(`lookup, dump and flush reach the cache of a serving nodens (-io ${io})`, () =>
    withCache(async ({ ask, nodens, out }) => {
      for (const name of ["www.example.org", "no.example.org", "a.example.net"]) await ask(name);
      const found = await nodens("lookup", "WWW.example.org");
      assert.match(
        found.out,
        /^; server block \.\n; www\.example\.org\. A: \d+ s left, \d+ s old, (from [\d.:]+, )?uses 0\nwww\.example\.org\.\t\d+\tIN\tA\t192\.0\.2\.7\n$/,
      );
      assert.equal(
        (await nodens("lookup", "www.example.org", "AAAA")).out,
        "; nothing is cached for www.example.org\n",
      );
      const dumped = await nodens("dump", "example.org");
      assert.match(
        dumped.out,
        /^; server block \.\n; www\.[^]*\n; no\.example\.org\. A: NXDOMAIN, \d+ s left, [^]*\n; example\.org\.\t+\d+\tIN\tSOA\t[^\n]*\n$/,
      );
      const lines = (await nodens("dump", "-json")).out.trimEnd().split("\n");
      assert.deepEqual(
        lines.map((line) => (JSON.parse(line) as { name: string }).name),
        ["www.example.org.", "a.example.net.", "no.example.org."],
      );
      const flushed = await nodens("flush", "example.org/");
      assert.equal(flushed.out, "Flushed: answers 1, denials 1, failures 0, stale 0\n");
      assert.match(out(), /control: flush zone="example\.org" \(from /);
      assert.match((await nodens("dump")).out, /^; server block \.\n; a\.example\.net\. A: /);
      assert.match((await nodens("flush", "-json", "-all")).out, /^\{"answers":1,/);
      assert.equal((await nodens("dump")).out, "; nothing is cached\n");
    }, { io }));
}

Deno.test({
  name: "lookup shows the entries of every data plane",
  ...skipUnlessLinux(),
  fn: () =>
    withCache(async ({ ask, nodens }) => {
      // The kernel chooses the data plane by the client's port.
      for (let i = 0; i < 40; i++) await ask("www.example.org");
      const { out } = await nodens("lookup", "www.example.org");
      assert.match(
        out,
        /^; server block \., data plane 0\n[^]*\n; server block \., data plane 1\n/,
      );
      assert.match((await nodens("flush", "www.example.org")).out, /^Flushed: answers 2, /);
    }, { workers: 2 }),
});

Deno.test("wrong arguments are refused with the remedy", () =>
  withCache(async ({ nodens }) => {
    for (
      const [args, code, err] of [
        [["flush"], 2, /NAME is missing/],
        [["flush", "-all", "example.org"], 2, /-all forgets every name \(leave the name out\)/],
        [["flush", "a..b"], 1, /^nodens flush: name: Cannot parse name "a\.\.b"/],
        [["flush", "-block", "example.org", "a"], 1, /no server block with a cache serves example/],
        [["lookup", "a", "B"], 1, /^nodens lookup: type "B" is unknown/],
        [["dump", "a..b"], 1, /^nodens dump: zone: Cannot parse name/],
      ] as [string[], number, RegExp][]
    ) {
      const result = await nodens(...args as [string]);
      assert.equal(result.code, code, result.out);
      assert.match(result.err, err);
    }
  }));
