import assert from "node:assert/strict";
import { connect } from "node:net";
import { TlsLane } from "../../../src/control/encrypted/lane.ts";
import { MAX_LANE_QUEUED } from "../../../src/io/lane.ts";
import { COMMAND, EVENT, makeLink } from "../../../src/io/lane_link.ts";
import { RingReader, RingWriter } from "../../../src/io/ring.ts";
import { type Authority, makeAuthority } from "../../support/servers/certificates.ts";
import { askUdp, withDataPlane } from "../../support/processes/drivers.ts";
import { freePort } from "../../support/servers/ports.ts";
import { LanePair } from "../../support/engine/lane.ts";
import { a, decode, queryBytes, responseBytes } from "../../support/messages/messages.ts";
import { driversHere, skipUnless } from "../../support/run/require.ts";
import { startTcp, startTls } from "../../support/servers/tls_servers.ts";

const NAME = "DNS:dns.example.org";
const UNKNOWN =
  "certificate is signed by an unknown authority, or an intermediate certificate is missing";

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
        pair.close();
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
  await pair.settled();
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
      why: UNKNOWN,
    },
    {
      title: "unknown to the system's authorities",
      names: NAME,
      caFile: null,
      why: UNKNOWN,
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

test("what passes is counted as garbage, both ways", async (authority, pair) => {
  const server = await startTls(authority.issue(NAME), { answer });
  const client = pair.open({ port: server.port, caFile: authority.caFile });
  await client.until(() => client.connects === 1);
  const before = pair.allocatedBytes;
  const query = queryBytes({ name: "www.example.org" });
  const [reply] = await client.ask(query);
  assert.equal(pair.allocatedBytes - before, query.length + 2 + 2 * (reply!.length + 2));
  await server.close();
});

test("a refusal is explained from the source address as well", async (authority, pair) => {
  const stranger = makeAuthority("somebody else");
  const rows = [
    {
      title: "expired",
      dates: { from: "20200101000000Z", until: "20200201000000Z" },
      why: "certificate has expired (on 2020-02-01)",
    },
    {
      title: "not valid yet",
      dates: { from: "20400101000000Z", until: "20400201000000Z" },
      why: "certificate is not valid before 2040-01-01",
    },
    {
      title: "unknown authority",
      caFile: stranger.caFile,
      why: UNKNOWN,
    },
  ];
  for (const { title, dates, caFile = authority.caFile, why } of rows) {
    // Those that failed the handshake as well.
    const from: (string | undefined)[] = [];
    const server = await startTls(authority.issue(NAME, dates), {
      accepted: (socket) => from.push(socket.remoteAddress),
      answer,
    });
    const target = { port: server.port, caFile, source: "127.0.0.9" };
    assert.equal(await pair.refusal(target), why, title);
    assert.deepEqual(from, ["127.0.0.9", "127.0.0.9"], title);
    await server.close();
  }
  stranger.remove();
});

test("connections that are refused together share one explanation", async (authority, pair) => {
  let connections = 0;
  const server = await startTls(
    authority.issue(NAME, { from: "20200101000000Z", until: "20200201000000Z" }),
    { accepted: () => connections++, answer },
  );
  const target = { port: server.port, caFile: authority.caFile };
  const whys = await Promise.all(Array.from({ length: 8 }, () => pair.refusal(target)));
  assert.deepEqual(new Set(whys), new Set(["certificate has expired (on 2020-02-01)"]));
  assert.ok(connections < 16, `${connections} connections for 8 streams`);
  await server.close();
});

test("the address itself is verified where no name is wanted", async (authority, pair) => {
  const server = await startTls(authority.issue("IP:127.0.0.1"), { answer });
  const target = { port: server.port, serverName: "", caFile: authority.caFile };
  const client = pair.open({ ...target, source: "127.0.0.9" });
  assert.equal((await client.ask(queryBytes({ name: "www.example.org" }))).length, 1);
  assert.match(
    await pair.refusal({ ...target, source: "192.0.2.1" }),
    /^Cannot send from 192\.0\.2\.1: it is not an address of this host/,
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
  pair.close();
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
    [{ caFile: rubbish }, `Cannot use "${rubbish}": it contains no certificate (PEM)`],
    [
      { caFile, certFile: rubbish, keyFile },
      `Cannot use "${rubbish}": it contains no certificate (PEM)`,
    ],
    [
      { caFile, certFile, keyFile: rubbish },
      `Cannot use "${rubbish}": it contains no private key without passphrase (PEM)`,
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
  "what the engine does not take in holds the peer up, and is lost to nobody",
  async (authority, pair) => {
    const flood = new Uint8Array(16 * 2 ** 20);
    let sent = 0;
    const server = await startTls(authority.issue(NAME), {
      connection(socket) {
        const more = () => {
          if (sent >= flood.length) return;
          const piece = flood.subarray(sent, sent += 65536);
          if (socket.write(piece)) setImmediate(more);
          else socket.once("drain", more);
        };
        socket.once("data", more);
      },
    });
    const client = pair.open({ port: server.port, caFile: authority.caFile });
    let received = 0;
    client.data = (_memory, _offset, length) => {
      received += length;
    };
    await client.until(() => client.connects === 1);
    pair.held = true;
    client.send(queryBytes({ name: "www.example.org" }));
    let most = 0;
    // What the kernel holds for both sides ends at some point; then nothing moves any more.
    for (let before = -1, still = 0; still < 20;) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      most = Math.max(most, pair.budget.used);
      still = sent === before && sent > 0 ? still + 1 : 0;
      before = sent;
    }
    assert.equal(received, 0);
    assert.ok(most > 0 && most < 512 * 1024, `${most} bytes were held`);
    pair.held = false;
    pair.turn();
    while (received < flood.length) await new Promise((resolve) => setTimeout(resolve, 10));
    assert.equal(received, flood.length);
    assert.equal(client.why, null);
    assert.equal(pair.budget.used, 0);
    await server.close();
  },
);

test("where all hold too much together, whoever holds most is closed", async (authority) => {
  const pair = new LanePair({ budgetBytes: 96 * 1024 });
  const server = await startTls(authority.issue(NAME), {
    connection(socket) {
      socket.once("data", (bytes: Uint8Array) => {
        // A request for much is answered with much.
        socket.write(bytes.length > 100 ? new Uint8Array(8 * 2 ** 20) : bytes);
      });
    },
  });
  const target = { port: server.port, caFile: authority.caFile };
  const greedy = [0, 1, 2].map(() => pair.open(target));
  const modest = pair.open(target);
  await modest.ask(queryBytes({ name: "www.example.org" }));
  pair.held = true;
  for (const client of greedy) client.send(new Uint8Array(200));
  while (!pair.counted.includes("budget")) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.ok(pair.budget.used <= pair.budget.limit);
  pair.held = false;
  pair.turn();
  await greedy[0]!.until(() => greedy.some(({ why }) => why !== null));
  for (const { why } of greedy) assert.match(why ?? "", /^$|hold too much memory together/);
  assert.equal(modest.why, null);
  pair.close();
  await server.close();
});

test("a server that is refused is left alone for a while", async (authority, pair) => {
  let connections = 0;
  const server = await startTls(authority.issue("DNS:other.example.org"), {
    connection: () => connections++,
  });
  const relay = await startTcp((socket) => {
    connections++;
    const onward = connect(server.port, "127.0.0.1");
    socket.pipe(onward).pipe(socket);
    onward.on("error", () => {});
  });
  const target = { port: relay.port, caFile: authority.caFile };
  const why = "certificate is for other.example.org, not dns.example.org";
  for (let i = 0; i < 50; i++) assert.equal(await pair.refusal(target), why);
  const first = connections;
  assert.ok(first <= 4, `${first} connections for 50 queries`);
  assert.equal(pair.counted.filter((reason) => reason === "refused").length, 49);
  // Longer and longer, up to a bound.
  let attempts = 0;
  for (let second = 0; second < 60; second++) {
    pair.nowMs += 1000;
    const before = connections;
    await pair.refusal(target);
    if (connections > before) attempts++;
  }
  assert.ok(attempts >= 6 && attempts <= 10, `${attempts} attempts in a minute`);
  await relay.close();
  await server.close();
});

test(
  "a server that sends what nobody asked for is left alone for a while",
  async (authority, pair) => {
    let connections = 0;
    const server = await startTls(authority.issue(NAME), {
      connection: () => connections++,
      answer,
    });
    const target = { port: server.port, caFile: authority.caFile };
    const client = pair.open(target);
    await client.ask(queryBytes({ name: "www.example.org" }));
    pair.lane.close(client.stream, true);
    pair.lane.flush();
    assert.equal(await pair.refusal(target), "the upstream sends unsolicited answers");
    assert.deepEqual(pair.counted, ["unasked", "refused"]);
    pair.nowMs += 1000;
    const next = pair.open(target);
    assert.equal((await next.ask(queryBytes({ name: "www.example.org" }))).length, 1);
    assert.equal(connections, 2);
    await server.close();
  },
);

test("a refused server is tried at once where the files have changed", async (authority, pair) => {
  const stranger = makeAuthority("somebody else");
  const server = await startTls(authority.issue(NAME), { answer });
  const caFile = `${authority.directory}/changing.pem`;
  Deno.copyFileSync(stranger.caFile, caFile);
  const target = { port: server.port, caFile };
  assert.match(await pair.refusal(target), /unknown authority/);
  assert.match(await pair.refusal(target), /unknown authority/);
  assert.deepEqual(pair.counted, ["refused"]);
  Deno.copyFileSync(authority.caFile, caFile);
  pair.nowMs += 250;
  const client = pair.open(target);
  assert.equal((await client.ask(queryBytes({ name: "www.example.org" }))).length, 1);
  Deno.writeTextFileSync(caFile, "\n", { append: true });
  await pair.control.checkCertificates();
  await client.until(() => client.why !== null);
  assert.equal(client.why, "certificates have been replaced");
  stranger.remove();
  await server.close();
});

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

Deno.test("DNS over TLS: a reason waits for room, and never for ever", async () => {
  for (const room of [16, 100, 500, 5000]) {
    const { plane, thread } = makeLink();
    const filler = new RingWriter(thread.events);
    while (filler.room > 20_000) filler.write(EVENT.DATA, 1, new Uint8Array(10_000));
    filler.write(EVENT.DATA, 1, new Uint8Array(filler.room - room));
    filler.publish();
    const pair = new LanePair();
    const lane = new TlsLane(thread, { wake: () => {}, context: pair.context });
    const commands = new RingWriter(plane.commands);
    const caFile = `/nonexistent/${"long/".repeat(200)}ca.pem`;
    const tls = { serverName: "", certFile: null, keyFile: null, caFile, http: null };
    const endpoint = JSON.stringify({ address: "127.0.0.1", port: 1, source: null, tls });
    commands.write(COMMAND.OPEN, 2, new TextEncoder().encode(endpoint));
    commands.publish();
    lane.receive();
    const events = new RingReader(plane.events);
    // Room is made once the file has been found missing: what is read first is the filling.
    while (events.kind !== EVENT.CLOSED) {
      while (events.next() && events.kind === EVENT.DATA);
      await new Promise((resolve) => setTimeout(resolve, 5));
      if (events.release()) lane.receive();
    }
    const why = new Uint8Array(events.length);
    events.copy(why);
    assert.match(new TextDecoder().decode(why), /^Cannot read "\/nonexistent\/long/);
    assert.equal(lane.size, 0);
    pair.close();
    plane.port.close();
    thread.port.close();
  }
});

Deno.test("DNS over TLS: a data plane that waits for room for a command is woken", () => {
  const { plane, thread } = makeLink();
  const pair = new LanePair();
  let wakes = 0;
  const control = new TlsLane(thread, { wake: () => wakes++, context: pair.context });
  const commands = new RingWriter(plane.commands);
  while (commands.write(COMMAND.CLOSE, 1));
  commands.publish();
  control.receive();
  assert.equal(wakes, 0, "woken, though it does not wait");
  while (commands.write(COMMAND.CLOSE, 1));
  assert.equal(commands.waitForRoom(0), false);
  commands.publish();
  control.receive();
  assert.equal(wakes, 1);
  pair.close();
  plane.port.close();
  thread.port.close();
});

for (const driver of driversHere()) {
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
