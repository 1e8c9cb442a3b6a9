import assert from "node:assert/strict";
import { connect } from "node:net";
import { MAX_LANE_QUEUED } from "../../src/io/lane.ts";
import { type Authority, makeAuthority } from "../support/certificates.ts";
import { askUdp, freePort, withDataPlane } from "../support/drivers.ts";
import { LanePair } from "../support/lane.ts";
import { a, decode, queryBytes, responseBytes } from "../support/messages.ts";
import { skipUnless } from "../support/net_require.ts";
import { startTcp, startTls } from "../support/tls_servers.ts";

const NAME = "DNS:dns.example.org";

function answer(bytes: Uint8Array): Uint8Array {
  const query = decode(bytes);
  return responseBytes(query, { answers: [a(query.questions![0]!.name, "192.0.2.7")] });
}

function test(name: string, work: (authority: Authority, pair: LanePair) => Promise<void>): void {
  Deno.test({
    name: `DNS over TLS: ${name}`,
    ...skipUnless("openssl"),
    // Sockets of node:tls are let go of a moment after their close event.
    sanitizeOps: false,
    sanitizeResources: false,
    async fn() {
      const authority = makeAuthority();
      const pair = new LanePair();
      try {
        await work(authority, pair);
      } finally {
        pair.control.close();
        authority.remove();
      }
    },
  });
}

test("a hundred queries on one connection, written before it stands", async (authority, pair) => {
  let connections = 0;
  const server = await startTls(authority.issue(NAME), { connection: () => connections++, answer });
  const client = pair.open({ port: server.port, caFile: authority.caFile });
  const queries = Array.from(
    { length: 100 },
    (_, id) => queryBytes({ name: `n${id}.example.org`, id }),
  );
  const answers = (await client.ask(...queries)).map(decode);
  assert.deepEqual(answers.map(({ id }) => id).sort((x, y) => x! - y!), queries.map((_, id) => id));
  assert.equal(answers[5]!.answers!.length, 1);
  assert.equal(client.connects, 1);
  assert.equal(connections, 1);
  await client.until(() => pair.lane.queued(client.stream) === 0);
  client.close();
  assert.equal(pair.control.size, 0);
  await server.close();
});

test("certificates that do not fit are refused with the reason", async (authority, pair) => {
  const stranger = makeAuthority("somebody else");
  const rows = [
    {
      title: "another name",
      names: "DNS:other.example.org,DNS:third.example.org",
      why: "certificate is for other.example.org, third.example.org, not dns.example.org",
    },
    {
      title: "an address instead of the name",
      names: "IP:127.0.0.1",
      why: "certificate is for 127.0.0.1, not dns.example.org",
    },
    {
      title: "a name instead of the address",
      names: NAME,
      serverName: "",
      why: "certificate is for dns.example.org, not 127.0.0.1",
    },
    {
      title: "expired",
      names: NAME,
      dates: { from: "20200101000000Z", until: "20200201000000Z" },
      why: "certificate has expired (on 2020-02-01)",
    },
    {
      title: "not valid yet",
      names: NAME,
      dates: { from: "20400101000000Z", until: "20400201000000Z" },
      why: "certificate is not valid before 2040-01-01",
    },
    {
      title: "unknown authority",
      names: NAME,
      caFile: stranger.caFile,
      why: "certificate is signed by an unknown authority",
    },
    {
      title: "unknown to the system's authorities",
      names: NAME,
      caFile: null,
      why: "certificate is signed by an unknown authority",
    },
  ];
  for (const { title, names, dates, serverName = "dns.example.org", caFile, why } of rows) {
    const server = await startTls(authority.issue(names, dates), { answer });
    const target = {
      port: server.port,
      serverName,
      caFile: caFile === undefined ? authority.caFile : caFile,
    };
    assert.equal(await pair.refusal(target), why, title);
    await server.close();
  }
  stranger.remove();
});

test("the address itself is verified where no name is wanted", async (authority, pair) => {
  const server = await startTls(authority.issue("IP:127.0.0.1"), { answer });
  const target = { port: server.port, serverName: "", caFile: authority.caFile };
  const client = pair.open({ ...target, source: "127.0.0.9" });
  assert.equal((await client.ask(queryBytes({ name: "www.example.org" }))).length, 1);
  assert.match(
    await pair.refusal({ ...target, source: "192.0.2.1" }),
    /^Cannot send from 192\.0\.2\.1: it is no address of this host/,
  );
  await server.close();
});

test("a connection is made from the source address", async (authority, pair) => {
  let from: string | undefined;
  const server = await startTls(authority.issue(NAME), {
    connection: (socket) => from = socket.remoteAddress,
    answer,
  });
  const target = { port: server.port, caFile: authority.caFile, source: "127.0.0.9" };
  await pair.open(target).ask(queryBytes({ name: "www.example.org" }));
  assert.equal(from, "127.0.0.9");
  await server.close();
});

test("a handshake that hangs delays nobody else, and ends", async (authority) => {
  const pair = new LanePair({ handshakeMs: 1500 });
  const silent = await startTcp(() => {});
  const server = await startTls(authority.issue(NAME), { answer });
  const hanging = pair.open({ port: silent.port, caFile: authority.caFile });
  hanging.send(queryBytes({ name: "www.example.org" }));
  const client = pair.open({ port: server.port, caFile: authority.caFile });
  assert.equal((await client.ask(queryBytes({ name: "www.example.org" }))).length, 1);
  assert.equal(hanging.why, null);
  await hanging.until(() => hanging.why !== null);
  assert.equal(hanging.why, "TLS handshake timed out");
  assert.equal(hanging.connects, 0);
  pair.control.close();
  await silent.close();
  await server.close();
});

test("peers that break off are told apart", async (authority, pair) => {
  const refused = await startTcp(() => {});
  await refused.close();
  const rows = [
    { title: "at once", use: (socket: { destroy(): void }) => void socket.destroy() },
    {
      title: "by a reset",
      use: (socket: { resetAndDestroy(): void }) => void socket.resetAndDestroy(),
    },
    {
      title: "after the client's hello",
      use: (socket: { once(event: "data", use: () => void): void; destroy(): void }) =>
        socket.once("data", () => socket.destroy()),
    },
    {
      title: "another protocol",
      use: (socket: { write(text: string): void }) => void socket.write("220 mail.example.org\r\n"),
      why: /^the upstream does not speak TLS$/,
    },
  ];
  for (const { title, use, why } of rows) {
    const server = await startTcp(use as never);
    const told = await pair.refusal({ port: server.port, caFile: authority.caFile });
    assert.match(told, why ?? /^(TLS handshake closed|connection reset) by the upstream$/, title);
    await server.close();
  }
  const target = { port: refused.port, caFile: authority.caFile };
  assert.equal(await pair.refusal(target), "connection refused");
});

test("a connection that breaks or ends later says so", async (authority, pair) => {
  const rows = [
    {
      title: "closed after an answer",
      end: (socket: { end(): void }) => socket.end(),
      why: "connection closed by the upstream",
    },
    {
      title: "cut off",
      end: (socket: { destroy(): void }) => void socket.destroy(),
      why: "connection closed by the upstream",
    },
  ];
  for (const { title, end, why } of rows) {
    const server = await startTls(authority.issue(NAME), {
      connection: (socket) => socket.once("data", () => setTimeout(() => end(socket), 20)),
      answer,
    });
    const client = pair.open({ port: server.port, caFile: authority.caFile });
    assert.equal((await client.ask(queryBytes({ name: "www.example.org" }))).length, 1, title);
    await client.until(() => client.why !== null);
    assert.equal(client.why, why, title);
    await server.close();
  }
  assert.equal(pair.control.size, 0);
});

test("files are read at every connect, and faults in them are named", async (authority, pair) => {
  const certificate = authority.issue(NAME);
  const other = authority.issue(NAME);
  const server = await startTls(certificate, { answer });
  const directory = authority.directory;
  const rubbish = `${directory}/rubbish.pem`;
  Deno.writeTextFileSync(rubbish, "rubbish\n");
  const { port } = server;
  const { caFile } = authority;
  const { certFile, keyFile } = certificate;
  const rows = [
    [
      { caFile: `${directory}/none.pem` },
      `Cannot read "${directory}/none.pem": there is no such file`,
    ],
    [{ caFile: rubbish }, `Cannot use "${rubbish}": it holds no certificate (PEM)`],
    [
      { caFile, certFile: rubbish, keyFile },
      `Cannot use "${rubbish}": it holds no certificate (PEM)`,
    ],
    [
      { caFile, certFile, keyFile: rubbish },
      `Cannot use "${rubbish}": it holds no private key without passphrase (PEM)`,
    ],
    [
      { caFile, certFile, keyFile: other.keyFile },
      `Cannot use "${other.keyFile}": it is not the key of "${certFile}"`,
    ],
  ] as const;
  for (const [files, why] of rows) assert.equal(await pair.refusal({ port, ...files }), why);

  Deno.copyFileSync(caFile, rubbish);
  const client = pair.open({ port, caFile: rubbish });
  assert.equal((await client.ask(queryBytes({ name: "www.example.org" }))).length, 1);
  await server.close();
});

test("a peer that does not read is cut off at the bound", async (authority, pair) => {
  const server = await startTls(authority.issue(NAME), {});
  // The handshake and a little more are passed on, then nothing is read any more.
  const relay = await startTcp((socket) => {
    const onward = connect(server.port, "127.0.0.1");
    let size = 0;
    socket.on("data", (bytes: Uint8Array) => {
      onward.write(bytes);
      if ((size += bytes.length) > 20_000) socket.pause();
    });
    onward.on("data", (bytes: Uint8Array) => socket.write(bytes));
    onward.on("error", () => {});
  });
  const client = pair.open({ port: relay.port, caFile: authority.caFile });
  await client.until(() => client.connects === 1);
  const message = queryBytes({ name: "www.example.org" });
  const many = Array.from({ length: 1000 }, () => message);
  let most = 0;
  while (client.why === null) {
    client.send(...many);
    most = Math.max(most, pair.lane.queued(client.stream));
    await new Promise((resolve) => setTimeout(resolve));
  }
  assert.equal(client.why, "the upstream does not read what it is sent");
  assert.ok(most <= MAX_LANE_QUEUED);
  assert.equal(pair.control.size, 0);
  await relay.close();
  await server.close();
});

test(
  "an engine that pauses gets the rest later, and no more than the bound",
  async (authority, pair) => {
    const message = queryBytes({ name: "www.example.org" });
    const flood = new Uint8Array(1024 * 1024);
    const server = await startTls(authority.issue(NAME), {
      connection(socket) {
        // A frame that is never whole, as long as the client stays.
        const more = () => {
          while (socket.writable && socket.write(flood));
        };
        socket.on("data", (bytes: Uint8Array) => {
          if (bytes.length > 100) more();
          else socket.write(bytes);
        });
        socket.on("drain", more);
      },
    });
    const client = pair.open({ port: server.port, caFile: authority.caFile });
    const pause = (paused: boolean) => {
      pair.lane.pause(client.stream, paused);
      pair.lane.flush();
    };
    await client.ask(message);
    pause(true);
    client.send(message);
    // The echo of another stream comes after the one that is held back.
    const other = pair.open({ port: server.port, caFile: authority.caFile });
    await other.ask(message);
    assert.equal(client.frames.length, 0);
    pause(false);
    await client.until(() => client.frames.length === 1);
    pause(true);
    client.send(new Uint8Array(200));
    await client.until(() => client.why !== null);
    assert.equal(client.why, "the upstream sends more than can be read");
    await server.close();
  },
);

test("closing the lane closes connections, and those that are being made", async (authority) => {
  const pair = new LanePair();
  const ended = Promise.withResolvers<void>();
  const server = await startTls(authority.issue(NAME), {
    // A connection that is closed with something unread ends in a reset.
    connection: (socket) => socket.on("close", () => ended.resolve()),
    answer,
  });
  const met = Promise.withResolvers<void>();
  const gone = Promise.withResolvers<void>();
  const silent = await startTcp((socket) => {
    met.resolve();
    socket.resume().on("close", () => gone.resolve());
  });
  const client = pair.open({ port: server.port, caFile: authority.caFile });
  const hanging = pair.open({ port: silent.port, caFile: authority.caFile });
  await client.ask(queryBytes({ name: "www.example.org" }));
  // A connection that was not begun yet would never be seen to end.
  await met.promise;
  pair.control.close();
  await Promise.all([ended.promise, gone.promise]);
  assert.equal(client.why, null);
  assert.equal(hanging.why, null);
  assert.equal(pair.control.size, 0);
  await silent.close();
  await server.close();
});

for (const driver of ["linux", "portable"] as const) {
  if (driver === "linux" && Deno.build.os !== "linux") continue;
  test(`the ${driver} driver asks over TLS beside plain DNS, and stops`, async (authority) => {
    const server = await startTls(authority.issue(NAME), { answer });
    const port = freePort();
    const corefile = `.:${port} {
  bind 127.0.0.1
  forward . tls://127.0.0.1:${server.port} {
    tls ${authority.caFile}
    tls_servername dns.example.org
  }
}`;
    await withDataPlane({ driver, corefile }, async (plane, logs) => {
      const ask = async (id: number) =>
        decode(await askUdp(queryBytes({ name: `n${id}.example.org`, id }), { port }));
      const all = await Promise.all(Array.from({ length: 50 }, (_, id) => ask(id)));
      assert.deepEqual(
        all.map(({ id, rcode }) => `${id} ${rcode}`),
        all.map((_, id) => `${id} NOERROR`),
      );
      if (driver === "portable") return;
      // A thread that takes the place of a dead one opens streams of its own.
      plane.provoke("throw");
      while (!logs.some((line) => line.includes("the data plane failed"))) {
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      assert.equal((await ask(99)).rcode, "NOERROR");
    });
    await server.close();
  });
}
