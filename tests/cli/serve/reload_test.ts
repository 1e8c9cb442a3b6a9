import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import * as codec from "dns-packet";
import { askTcp, askUdp, startUpstream } from "../../support/processes/drivers.ts";
import { freePort } from "../../support/servers/ports.ts";
import { until } from "../../support/run/until.ts";
import { a, decode, queryBytes, responseBytes } from "../../support/messages/messages.ts";
import { startNodens } from "../../support/processes/nodens.ts";
import { frame } from "../../support/simulation/simulation.ts";
import { driversHere } from "../../support/run/require.ts";
import { dataOf, reload, withNodens } from "./scene.ts";

const DRIVERS = driversHere();

const names = (port: number, address: string, more = "bind 127.0.0.1") =>
  `.:${port} {\n ${more}\n hosts {\n ${address} www.example.org\n }\n}\n`;

async function addressOf(port: number, hostname = "127.0.0.1"): Promise<string | undefined> {
  const query = queryBytes({ name: "www.example.org" });
  const answer = decode(await askUdp(query, { port, hostname }));
  return dataOf(answer);
}

for (const io of DRIVERS) {
  Deno.test(`${io}: SIGHUP and SIGUSR1 reload the Corefile`, async () => {
    const corefile = (port: number) => names(port, "192.0.2.1");
    await withNodens({ corefile, args: ["-io", io] }, async (nodens) => {
      const { port } = nodens;
      assert.equal(await addressOf(port), "192.0.2.1");
      await reload(nodens, names(port, "192.0.2.2"));
      assert.equal(await addressOf(port), "192.0.2.2");
      await reload(nodens, names(port, "192.0.2.3"), "SIGUSR1");
      assert.equal(await addressOf(port), "192.0.2.3");
    });
  });

  Deno.test(`${io}: a reload adds and removes listeners`, async () => {
    const other = freePort();
    const corefile = (port: number) => names(port, "192.0.2.1");
    await withNodens({ corefile, args: ["-io", io] }, async (nodens) => {
      const { port } = nodens;
      for (let turn = 0; turn < 3; turn++) {
        await reload(nodens, names(other, "192.0.2.7") + names(port, "192.0.2.1"));
        assert.equal(await addressOf(other), "192.0.2.7");
        assert.equal(await addressOf(port), "192.0.2.1");
        const [response] = await askTcp([frame(queryBytes({ name: "www.example.org" }))], {
          port: other,
        });
        assert.equal(decode(response!).rcode, "NOERROR");
        await reload(nodens, names(port, "192.0.2.1"));
        assert.equal(await addressOf(port), "192.0.2.1");
        await assert.rejects(Deno.connect({ hostname: "127.0.0.1", port: other }));
      }
    });
  });

  Deno.test(`${io}: a reload can add regular expressions`, async () => {
    const corefile = (port: number) => names(port, "192.0.2.1");
    await withNodens({ corefile, args: ["-io", io] }, async (nodens) => {
      const { port } = nodens;
      const block = `.:${port} {\n bind 127.0.0.1\n` +
        ` errors {\n consolidate 1s "no next.*" warning\n }\n any\n}\n`;
      assert.equal(await reload(nodens, block), "Reloading complete");
      for (let i = 0; i < 3; i++) await addressOf(port);
      await until(() => /3 errors like 'no next\.\*' occurred in last 1s/.test(nodens.output));
    });
  });

  Deno.test(`${io}: queries that wait for an upstream are answered after SIGTERM`, async () => {
    const upstreamPort = freePort();
    const held = Promise.withResolvers<void>();
    const socket = Deno.listenDatagram({
      transport: "udp",
      hostname: "127.0.0.1",
      port: upstreamPort,
    });
    let seen = 0;
    const serving = (async () => {
      for await (const [bytes, from] of socket) {
        const query = codec.decode(Buffer.from(bytes));
        const { name } = query.questions![0]!;
        if (++seen === 2) setTimeout(held.resolve, 0);
        void held.promise.then(() => new Promise((wake) => setTimeout(wake, 300))).then(() =>
          socket.send(responseBytes(query, { answers: [a(name, "192.0.2.5")] }), from)
        ).catch(() => {});
      }
    })();
    const nodens = await startNodens({
      corefile: (port) =>
        `.:${port} {\n bind 127.0.0.1\n forward . 127.0.0.1:${upstreamPort} {\n prefer_udp\n }\n}\n`,
      args: ["-io", io],
    });
    const { port } = nodens;
    const udp = askUdp(queryBytes({ name: "one.example.org" }), { port });
    const tcp = askTcp([frame(queryBytes({ name: "two.example.org" }))], { port });
    await held.promise;
    const status = await nodens.stop();
    assert.equal(status.code, 0, nodens.output);
    for (const answer of [await udp, (await tcp)[0]!]) {
      assert.equal(dataOf(decode(answer)), "192.0.2.5");
    }
    socket.close();
    await serving;
  });
}

Deno.test("a faulty Corefile is logged and shown in the status, and the old one is served", async () => {
  const metrics = freePort();
  const good = (port: number) => names(port, "192.0.2.1", `prometheus 127.0.0.1:${metrics}`);
  await withNodens({ corefile: good }, async (nodens) => {
    const { port, file } = nodens;
    const bad = `${good(port)}example.net {\n cach\n forward . 10.0.0.256\n}\n`;
    assert.equal(await reload(nodens, bad), "not applied");
    assert.match(nodens.output, /\[ERROR\] plugin\/reload: .*Corefile:8: unknown directive "cach"/);
    assert.match(nodens.output, /\[ERROR\] plugin\/reload: .*Corefile:9: forward: "10\.0\.0\.256"/);
    assert.equal(await addressOf(port), "192.0.2.1");
    const status = async () => await (await fetch(`http://127.0.0.1:${metrics}/status`)).json();
    const scrape = async () => await (await fetch(`http://127.0.0.1:${metrics}/metrics`)).text();
    const { reload: last } = await status();
    assert.equal(last.ok, false);
    assert.equal(last.faults.length, 2);
    assert.ok(last.faults[0].startsWith(`${file}:8: `), last.faults[0]);
    const text = await scrape();
    assert.match(text, /^coredns_reload_failed_total 1$/m);
    const hash = /^coredns_reload_version_info\{hash="sha512",value="([0-9a-f]{128})"\} 1$/m;
    const before = hash.exec(text)![1];
    assert.equal(
      await reload(nodens, good(port).replace("192.0.2.1", "192.0.2.2")),
      "Reloading complete",
    );
    assert.equal(await addressOf(port), "192.0.2.2");
    assert.equal((await status()).reload.ok, true);
    const limitMs = performance.now() + 15_000;
    while (hash.exec(await scrape())![1] === before) assert.ok(performance.now() < limitMs);
  });
});

for (const io of DRIVERS) {
  Deno.test(`${io}: a reload that cannot open a listener changes nothing`, async () => {
    const [udp, http] = [freePort(), freePort()];
    const taken = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: udp });
    const server = Deno.listen({ hostname: "127.0.0.1", port: http });
    const corefile = (port: number) => names(port, "192.0.2.1");
    await withNodens({ corefile, args: ["-io", io] }, async (nodens) => {
      const { port } = nodens;
      const wanted = names(port, "192.0.2.2") + names(udp, "192.0.2.3");
      assert.equal(await reload(nodens, wanted), "not applied");
      assert.match(
        nodens.output,
        new RegExp(`Cannot listen on 127\\.0\\.0\\.1:${udp}.*in use`, "i"),
      );
      assert.equal(await addressOf(port), "192.0.2.1");
      const health = names(port, "192.0.2.2", `health 127.0.0.1:${http}`);
      assert.equal(await reload(nodens, health), "not applied");
      assert.match(
        nodens.output,
        new RegExp(`Cannot listen on 127\\.0\\.0\\.1:${http} \\(HTTP\\)`),
      );
      assert.equal(await addressOf(port), "192.0.2.1");
      taken.close();
      assert.equal(await reload(nodens, wanted), "Reloading complete");
      assert.equal(await addressOf(udp), "192.0.2.3");
    });
    server.close();
  });
}

Deno.test("a reload can widen an address to all addresses, and back", async () => {
  const corefile = (port: number) => names(port, "192.0.2.1");
  await withNodens({ corefile }, async (nodens) => {
    const { port } = nodens;
    for (let turn = 0; turn < 3; turn++) {
      await reload(nodens, names(port, "192.0.2.2", ""));
      assert.equal(await addressOf(port), "192.0.2.2");
      assert.equal(await addressOf(port, "127.0.0.9"), "192.0.2.2");
      await reload(nodens, names(port, "192.0.2.1"));
      assert.equal(await addressOf(port), "192.0.2.1");
    }
  });
});

Deno.test("reload: a change of an imported file is applied", async () => {
  const folder = Deno.makeTempDirSync({ prefix: "nodens_test_" });
  Deno.writeTextFileSync(`${folder}/part`, "hosts {\n 192.0.2.1 www.example.org\n}\n");
  const corefile = (port: number) =>
    `.:${port} {\n bind 127.0.0.1\n reload 2s 1s\n import ${folder}/part\n}\n`;
  await withNodens({ corefile }, async (nodens) => {
    assert.equal(await addressOf(nodens.port), "192.0.2.1");
    Deno.writeTextFileSync(`${folder}/part`, "hosts {\n 192.0.2.2 www.example.org\n}\n");
    await until(() => /Reloading complete/.test(nodens.output), "the reload");
    assert.equal(await addressOf(nodens.port), "192.0.2.2");
  });
  Deno.removeSync(folder, { recursive: true });
});

Deno.test("a persisted cache survives a reload that empties it", async () => {
  const folder = Deno.makeTempDirSync({ prefix: "nodens_test_" });
  const upstreamPort = freePort();
  const upstream = startUpstream(upstreamPort, (bytes) => {
    const query = codec.decode(Buffer.from(bytes));
    return responseBytes(query, { answers: [a(query.questions![0]!.name, "192.0.2.1", 300)] });
  });
  const corefile = (port: number, capacity = 2000) =>
    `.:${port} {
      bind 127.0.0.1
      cache {
        success ${capacity}
        persist ${folder}/cache
      }
      forward . 127.0.0.1:${upstreamPort}
    }\n`;
  await withNodens({ corefile }, async (nodens) => {
    const { port } = nodens;
    assert.equal(await addressOf(port), "192.0.2.1");
    await reload(nodens, corefile(port, 3000));
    await until(
      () => /plugin\/cache: restored 1 entries from/.test(nodens.output),
      "reading the file",
    );
    assert.equal(await addressOf(port), "192.0.2.1");
    assert.equal(upstream.counts.udp, 1);
  });
  await upstream.close();
  Deno.removeSync(folder, { recursive: true });
});

Deno.test("a second SIGTERM stops nodens at once", async () => {
  const silent = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  const { port: upstreamPort } = silent.addr as Deno.NetAddr;
  const nodens = await startNodens({
    corefile: (port) =>
      `.:${port} {
        bind 127.0.0.1
        health 127.0.0.1:${freePort()} {
          lameduck 1h
        }
        forward . 127.0.0.1:${upstreamPort}
      }\n`,
  });
  const { port } = nodens;
  const asked = askUdp(queryBytes({ name: "www.example.org" }), { port, limitMs: 1000 }).catch(() =>
    null
  );
  await silent.receive();
  Deno.kill(nodens.pid, "SIGTERM");
  await until(() => /SIGTERM: stopping[^]*lameduck/.test(nodens.output));
  const status = await nodens.stop();
  assert.equal(status.signal, null);
  assert.equal(status.code, 0);
  await asked;
  silent.close();
});
