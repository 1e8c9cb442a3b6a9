import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { TlsLane } from "../../../src/control/encrypted/lane.ts";
import { MAX_LANE_QUEUED } from "../../../src/io/lane.ts";
import { COMMAND, EVENT, makeLink } from "../../../src/io/lane_link.ts";
import { RingReader, RingWriter } from "../../../src/io/ring.ts";
import { LanePair } from "../../support/engine/lane.ts";
import { decode, queryBytes } from "../../support/messages/messages.ts";
import { askUdp, withDataPlane } from "../../support/processes/drivers.ts";
import { driversHere } from "../../support/run/require.ts";
import { until } from "../../support/run/until.ts";
import { freePort } from "../../support/servers/ports.ts";
import { answer, NAME, QUERY, scenes } from "./scene.ts";

const UNKNOWN =
  "certificate is signed by an unknown authority, or an intermediate certificate is missing";
const EXPIRED = {
  dates: { from: "20200101000000Z", until: "20200201000000Z" },
  why: "certificate has expired (on 2020-02-01)",
};
const FUTURE = {
  dates: { from: "20400101000000Z", until: "20400201000000Z" },
  why: "certificate is not valid before 2040-01-01",
};

const test = scenes("DNS over TLS");

test("a hundred queries share one connection, even before it is open", async (scene) => {
  const { pair } = scene;
  let connections = 0;
  const server = await scene.startTls({ connection: () => connections++, answer });
  const client = scene.open(server);
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
  await until(() => pair.control.size === 0, "the end of all streams");
});

test("bad certificates are refused with the reason", async (scene) => {
  const { caFile } = scene.stranger();
  const rows: {
    names?: string;
    dates?: { from: string; until: string };
    more?: { serverName?: string; caFile?: string | null };
    why: string;
  }[] = [
    {
      names: "DNS:other.example.org,DNS:third.example.org",
      why: "certificate is for other.example.org, third.example.org, not dns.example.org",
    },
    { names: "IP:127.0.0.1", why: "certificate is for 127.0.0.1, not dns.example.org" },
    { more: { serverName: "" }, why: "certificate is for dns.example.org, not 127.0.0.1" },
    EXPIRED,
    FUTURE,
    { more: { caFile }, why: UNKNOWN },
    { more: { caFile: null }, why: UNKNOWN },
  ];
  for (const { names, dates, more, why } of rows) {
    const server = await scene.startTls({ answer }, names, dates);
    assert.equal(await scene.refusal(server, more), why);
  }
});

test("sent and received octets count as garbage", async (scene) => {
  const { pair } = scene;
  const client = scene.open(await scene.startTls({ answer }));
  await client.until(() => client.connects === 1);
  const before = pair.allocatedBytes;
  const [reply] = await client.ask(QUERY);
  assert.equal(pair.allocatedBytes - before, QUERY.length + 2 + 2 * (reply!.length + 2));
});

test("the connection that explains a refusal uses the source address", async (scene) => {
  const { caFile } = scene.stranger();
  for (
    const { dates, more, why } of [EXPIRED, FUTURE, { more: { caFile }, why: UNKNOWN }] as {
      dates?: { from: string; until: string };
      more?: { caFile: string };
      why: string;
    }[]
  ) {
    const from: (string | undefined)[] = [];
    const use = { accepted: (socket: Socket) => from.push(socket.remoteAddress), answer };
    const server = await scene.startTls(use, NAME, dates);
    assert.equal(await scene.refusal(server, { ...more, source: "127.0.0.9" }), why);
    assert.deepEqual(from, ["127.0.0.9", "127.0.0.9"], why);
  }
});

test("connections refused at the same time share one explanation", async (scene) => {
  let connections = 0;
  const use = { accepted: () => connections++, answer };
  const server = await scene.startTls(use, NAME, EXPIRED.dates);
  const whys = await Promise.all(Array.from({ length: 8 }, () => scene.refusal(server)));
  assert.deepEqual(new Set(whys), new Set([EXPIRED.why]));
  assert.ok(connections < 16, `${connections} connections for 8 streams`);
});

test("the address is verified if no name is configured", async (scene) => {
  const server = await scene.startTls({ answer }, "IP:127.0.0.1");
  const client = scene.open(server, { serverName: "", source: "127.0.0.9" });
  assert.equal((await client.ask(QUERY)).length, 1);
  assert.match(
    await scene.refusal(server, { serverName: "", source: "192.0.2.1" }),
    /^Cannot send from 192\.0\.2\.1: it is not an address of this host/,
  );
});

test("a connection is made from the source address", async (scene) => {
  let from: string | undefined;
  const connection = (socket: Socket) => from = socket.remoteAddress;
  const server = await scene.startTls({ connection, answer });
  await scene.open(server, { source: "127.0.0.9" }).ask(QUERY);
  assert.equal(from, "127.0.0.9");
});

test("a handshake that hangs times out, and does not delay others", async (scene) => {
  const hanging = scene.open(await scene.startTcp(() => {}));
  hanging.send(QUERY);
  const client = scene.open(await scene.startTls({ answer }));
  assert.equal((await client.ask(QUERY)).length, 1);
  assert.equal(hanging.why, null);
  await hanging.until(() => hanging.why !== null);
  assert.equal(hanging.why, "TLS handshake timed out");
  assert.equal(hanging.connects, 0);
}, { handshakeMs: 1500 });

test("different failures of the handshake have different reasons", async (scene) => {
  const broken = /^(TLS handshake closed|connection reset) by the upstream$/;
  const rows: { title: string; use: (socket: Socket) => void; why: RegExp }[] = [
    { title: "at once", use: (socket) => void socket.destroy(), why: broken },
    { title: "by a reset", use: (socket) => void socket.resetAndDestroy(), why: broken },
    {
      title: "after the client's hello",
      use: (socket) => void socket.once("data", () => socket.destroy()),
      why: broken,
    },
    {
      title: "another protocol",
      use: (socket) => void socket.write("220 mail.example.org\r\n"),
      why: /^the upstream does not speak TLS$/,
    },
  ];
  for (const { title, use, why } of rows) {
    assert.match(await scene.refusal(await scene.startTcp(use)), why, title);
  }
  const closed = await scene.startTcp(() => {});
  await closed.close();
  assert.equal(await scene.refusal(closed), "connection refused");
});

test("a connection that ends or breaks later has that reason", async (scene) => {
  const ends: ((socket: { end(): void; destroy(): void }) => void)[] = [
    (socket) => socket.end(),
    (socket) => socket.destroy(),
  ];
  for (const end of ends) {
    const server = await scene.startTls({
      connection: (socket) => socket.once("data", () => setTimeout(() => end(socket), 20)),
      answer,
    });
    const client = scene.open(server);
    assert.equal((await client.ask(QUERY)).length, 1);
    await client.until(() => client.why !== null);
    assert.equal(client.why, "connection closed by the upstream");
  }
  await until(() => scene.pair.control.size === 0, "the end of all streams");
});

test("PEM files are read for every connection, and their faults are reported", async (scene) => {
  const { caFile, directory } = scene.authority;
  const [{ certFile, keyFile }, other] = [scene.authority.issue(NAME), scene.authority.issue(NAME)];
  const server = await scene.startTls({ answer });
  const rubbish = `${directory}/rubbish.pem`;
  Deno.writeTextFileSync(rubbish, "rubbish\n");
  const none = `${directory}/none.pem`;
  const rows = [
    [{ caFile: none }, `Cannot read "${none}": there is no such file`],
    [{ caFile: rubbish }, `Cannot use "${rubbish}": it contains no certificate (PEM)`],
    [{ certFile: rubbish, keyFile }, `Cannot use "${rubbish}": it contains no certificate (PEM)`],
    [
      { certFile, keyFile: rubbish },
      `Cannot use "${rubbish}": it contains no private key without passphrase (PEM)`,
    ],
    [
      { certFile, keyFile: other.keyFile },
      `Cannot use "${other.keyFile}": it is not the key of "${certFile}"`,
    ],
  ] as const;
  for (const [files, why] of rows) assert.equal(await scene.refusal(server, files), why);
  Deno.copyFileSync(caFile, rubbish);
  assert.equal((await scene.open(server, { caFile: rubbish }).ask(QUERY)).length, 1);
});

test("a peer that does not read is closed at the limit", async (scene) => {
  const { pair } = scene;
  const server = await scene.startTls({});
  // Forwards the handshake and a little more, then stops reading.
  const relay = await scene.startTcp((socket) => {
    const onward = connect(server.port, "127.0.0.1");
    let size = 0;
    socket.on("data", (bytes: Uint8Array) => {
      onward.write(bytes);
      if ((size += bytes.length) > 20_000) socket.pause();
    });
    onward.on("data", (bytes: Uint8Array) => socket.write(bytes));
    onward.on("error", () => {});
  });
  const client = scene.open(relay);
  await client.until(() => client.connects === 1);
  const many = Array.from({ length: 1000 }, () => QUERY);
  let most = 0;
  while (client.why === null) {
    client.send(...many);
    most = Math.max(most, pair.lane.queued(client.stream));
    await new Promise((resolve) => setTimeout(resolve));
  }
  assert.equal(client.why, "the upstream does not read what it is sent");
  assert.ok(most <= MAX_LANE_QUEUED);
  await until(() => pair.control.size === 0, "the end of all streams");
});

test("input that the engine does not read slows the peer, and is not lost", async (scene) => {
  const { pair } = scene;
  const flood = new Uint8Array(16 * 2 ** 20);
  let sent = 0;
  const server = await scene.startTls({
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
  const client = scene.open(server);
  let received = 0;
  client.data = (_memory, _offset, length) => {
    received += length;
  };
  await client.until(() => client.connects === 1);
  pair.held = true;
  client.send(QUERY);
  let most = 0;
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
  await until(() => received >= flood.length);
  assert.equal(received, flood.length);
  assert.equal(client.why, null);
  assert.equal(pair.budget.used, 0);
});

test("the stream with the most bytes is closed when the total exceeds the limit", async (scene) => {
  const { pair } = scene;
  const server = await scene.startTls({
    connection(socket) {
      socket.once("data", (bytes: Uint8Array) => {
        socket.write(bytes.length > 100 ? new Uint8Array(8 * 2 ** 20) : bytes);
      });
    },
  });
  const greedy = [0, 1, 2].map(() => scene.open(server));
  const modest = scene.open(server);
  await modest.ask(QUERY);
  pair.held = true;
  for (const client of greedy) client.send(new Uint8Array(200));
  await until(() => pair.counted.includes("budget"));
  assert.ok(pair.budget.used <= pair.budget.limit);
  pair.held = false;
  pair.turn();
  await greedy[0]!.until(() => greedy.some(({ why }) => why !== null));
  for (const { why } of greedy) assert.match(why ?? "", /^$|hold too much memory together/);
  assert.equal(modest.why, null);
}, { budgetBytes: 96 * 1024 });

test("a refused server is avoided for a while", async (scene) => {
  const { pair } = scene;
  let connections = 0;
  const use = { connection: () => connections++ };
  const server = await scene.startTls(use, "DNS:other.example.org");
  const relay = await scene.startTcp((socket) => {
    connections++;
    const onward = connect(server.port, "127.0.0.1");
    socket.pipe(onward).pipe(socket);
    onward.on("error", () => {});
  });
  const why = "certificate is for other.example.org, not dns.example.org";
  for (let i = 0; i < 50; i++) assert.equal(await scene.refusal(relay), why);
  assert.ok(connections <= 4, `${connections} connections for 50 queries`);
  assert.equal(pair.counted.filter((reason) => reason === "refused").length, 49);
  let attempts = 0;
  for (let second = 0; second < 60; second++) {
    pair.nowMs += 1000;
    const before = connections;
    await scene.refusal(relay);
    if (connections > before) attempts++;
  }
  assert.ok(attempts >= 6 && attempts <= 10, `${attempts} attempts in a minute`);
});

test("a server that sends unsolicited answers is avoided for a while", async (scene) => {
  const { pair } = scene;
  let connections = 0;
  const server = await scene.startTls({ connection: () => connections++, answer });
  const client = scene.open(server);
  await client.ask(QUERY);
  pair.lane.close(client.stream, true);
  pair.lane.flush();
  assert.equal(await scene.refusal(server), "the upstream sends unsolicited answers");
  assert.deepEqual(pair.counted, ["unasked", "refused"]);
  pair.nowMs += 1000;
  assert.equal((await scene.open(server).ask(QUERY)).length, 1);
  assert.equal(connections, 2);
});

test("a refused server is tried again at once if the files have changed", async (scene) => {
  const { pair, authority } = scene;
  const server = await scene.startTls({ answer });
  const caFile = `${authority.directory}/changing.pem`;
  Deno.copyFileSync(scene.stranger().caFile, caFile);
  assert.equal(await scene.refusal(server, { caFile }), UNKNOWN);
  assert.equal(await scene.refusal(server, { caFile }), UNKNOWN);
  assert.deepEqual(pair.counted, ["refused"]);
  Deno.copyFileSync(authority.caFile, caFile);
  pair.nowMs += 250;
  const client = scene.open(server, { caFile });
  assert.equal((await client.ask(QUERY)).length, 1);
  Deno.writeTextFileSync(caFile, "\n", { append: true });
  await pair.control.checkCertificates();
  await client.until(() => client.why !== null);
  assert.equal(client.why, "certificates have been replaced");
});

test("closing the lane closes its connections, even unfinished ones", async (scene) => {
  const ended = Promise.withResolvers<void>();
  const server = await scene.startTls({
    // A connection closed with unread input is reset.
    connection: (socket) => socket.on("close", () => ended.resolve()),
    answer,
  });
  const met = Promise.withResolvers<void>();
  const gone = Promise.withResolvers<void>();
  const silent = await scene.startTcp((socket) => {
    met.resolve();
    socket.resume().on("close", () => gone.resolve());
  });
  const [client, hanging] = [scene.open(server), scene.open(silent)];
  await client.ask(QUERY);
  await met.promise;
  scene.pair.control.close();
  await Promise.all([ended.promise, gone.promise]);
  assert.equal(client.why, null);
  assert.equal(hanging.why, null);
  await until(() => scene.pair.control.size === 0, "the end of all streams");
});

Deno.test("DNS over TLS: the reason of a failure waits for room, but not forever", async () => {
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
  assert.equal(wakes, 0, "it does not wait");
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
  test(`the ${driver} driver asks over TLS and plain DNS, and stops`, async (scene) => {
    const server = await scene.startTls({ answer });
    const port = freePort();
    const corefile = `.:${port} {
  bind 127.0.0.1
  forward . tls://127.0.0.1:${server.port} {
    tls ${scene.authority.caFile}
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
      // A replacement thread opens new streams.
      plane.provoke("throw");
      await until(() => logs.some((line) => line.includes("the data plane failed")));
      assert.equal((await ask(99)).rcode, "NOERROR");
    });
  });
}
