import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { decode, queryBytes } from "../../support/messages/messages.ts";
import type { HttpRequest } from "../../support/servers/tls_servers.ts";
import { until } from "../../support/run/until.ts";
import { answer, scenes } from "./scene.ts";

const HEADERS = { ":status": 200, "content-type": "application/dns-message" };

function messageOf({ headers, body }: HttpRequest): Uint8Array {
  if (headers[":method"] === "POST") return body;
  const text = new URL(`https://x${headers[":path"]}`).searchParams.get("dns")!;
  return new Uint8Array(Buffer.from(text, "base64url"));
}

function respond(request: HttpRequest): void {
  request.stream.respond(HEADERS);
  request.stream.end(answer(messageOf(request)));
}

function query(name: string, id = 1): Uint8Array {
  return queryBytes({ name: `${name}.example.org`, id });
}

function nameOf(request: HttpRequest): string {
  return decode(messageOf(request)).questions![0]!.name.replace(".example.org", "");
}

const test = scenes("DNS over HTTPS");

for (const http of ["GET", "POST"] as const) {
  test(
    `${http} sends id 0, and the answer has the id of the query`,
    async (scene) => {
      const seen: HttpRequest[] = [];
      const server = await scene.startHttp((request) => {
        seen.push(request);
        respond(request);
      });
      const client = scene.open(server, { http });
      const [first] = await client.ask(query("www", 4711));
      assert.equal(decode(first!).id, 4711);
      assert.equal(decode(first!).answers!.length, 1);
      const { headers, body } = seen[0]!;
      assert.equal(headers[":method"], http);
      assert.equal(headers[":authority"], `dns.example.org:${server.port}`);
      assert.equal(headers.accept, "application/dns-message");
      assert.equal(decode(messageOf(seen[0]!)).id, 0);
      if (http === "POST") {
        assert.equal(headers[":path"], "/dns-query");
        assert.equal(headers["content-type"], "application/dns-message");
      } else {
        assert.match(String(headers[":path"]), /^\/dns-query\?dns=[\w-]+$/);
        assert.equal(body.length, 0);
      }
    },
  );
}

test("three hundred queries at once are answered in any order", async (scene) => {
  let held: HttpRequest[] = [];
  let most = 0;
  const server = await scene.startHttp((request) => {
    held.push(request);
    most = Math.max(most, held.length);
    setTimeout(() => {
      const all = held.reverse();
      held = [];
      all.forEach(respond);
    }, 5);
  });
  const client = scene.open(server, { http: "POST" });
  const queries = Array.from({ length: 300 }, (_, id) => query(`n${id}`, id));
  const answers = (await client.ask(...queries)).map(decode);
  assert.equal(client.why, null);
  for (const { id, questions } of answers) assert.equal(questions![0]!.name, `n${id}.example.org`);
  assert.equal(new Set(answers.map(({ id }) => id)).size, 300);
  assert.ok(most > 1 && most <= 256, `${most} at once`);
  await client.until(() => scene.pair.lane.queued(client.stream) === 0);
});

function send(body: string | Uint8Array, headers: Record<string, string | number> = HEADERS) {
  return ({ stream }: HttpRequest) => {
    stream.respond(headers);
    stream.end(body);
  };
}

const OTHER = answer(queryBytes({ name: "other.example.org" }));
const LOGIN = "<p>Welcome to this network. Please log in</p>";
/** Faults of a server, and the reported reasons. */
const FAULTS: [title: string, use: (request: HttpRequest) => void, why: string][] = [
  [
    "an HTTP status",
    send("out of order", { ":status": 500, "content-type": "text/plain" }),
    "HTTP status 500 instead of an answer",
  ],
  [
    "another content type",
    send(LOGIN, { ":status": 200, "content-type": "text/html" }),
    'HTTP content of type "text/html"',
  ],
  [
    "a stream that is reset",
    ({ stream }) => stream.close(2),
    "an HTTP request was reset by the upstream",
  ],
  ["the answer to another question", send(OTHER), "HTTP content that answers another question"],
  [
    "the query itself",
    (request) => send(messageOf(request))(request),
    "HTTP content that answers another question",
  ],
  ["an empty body", send(""), "HTTP content shorter than a DNS message"],
  ["a long body", send(new Uint8Array(70_000)), "HTTP content longer than a DNS message"],
];

for (const [title, use, why] of FAULTS) {
  test(`${title} fails the query; three in a row fail the connection`, async (scene) => {
    const server = await scene.startHttp((request) => {
      if (nameOf(request).startsWith("bad")) use(request);
      else respond(request);
    });
    const client = scene.open(server, { http: "POST" });
    const rcodes = async (...queries: Uint8Array[]) =>
      (await client.ask(...queries)).map(decode).sort((x, y) => x.id! - y.id!).map(({ rcode }) =>
        rcode
      );
    assert.deepEqual(await rcodes(query("good")), ["NOERROR"]);
    assert.deepEqual(await rcodes(query("bad", 1)), ["SERVFAIL"]);
    assert.deepEqual(await rcodes(query("good", 1)), ["NOERROR"]);
    assert.deepEqual(await rcodes(query("bad", 1)), ["SERVFAIL"]);
    assert.deepEqual(await rcodes(query("bad", 2)), ["SERVFAIL"]);
    client.send(query("bad", 3));
    await client.until(() => client.why !== null);
    assert.equal(client.why, why);

    const fresh = scene.open(server, { http: "POST" });
    fresh.send(query("bad"));
    await fresh.until(() => fresh.why !== null);
    assert.equal(fresh.why, why);
    assert.deepEqual(fresh.frames, []);
    await until(() => scene.pair.control.size === 0, "the end of all streams");
  });
}

test("a failed query gets a response with its question", async (scene) => {
  const server = await scene.startHttp((request) => {
    if (nameOf(request) === "good") respond(request);
    else FAULTS[0]![1](request);
  });
  const client = scene.open(server, { http: "GET" });
  await client.ask(query("good"));
  const [bytes] = await client.ask(query("bad", 77));
  const { id, type, flag_ra, flag_rd, questions, answers } = decode(bytes!);
  assert.deepEqual(
    { id, type, flag_ra, flag_rd, name: questions![0]!.name, answers },
    {
      id: 77,
      type: "response",
      flag_ra: true,
      flag_rd: true,
      name: "bad.example.org",
      answers: [],
    },
  );
});

test(
  "after GOAWAY, requests in flight are answered, then the stream is closed",
  async (scene) => {
    const server = await scene.startHttp((request) => {
      if (nameOf(request) !== "last") {
        respond(request);
        return;
      }
      request.session.goaway(0);
      setTimeout(() => respond(request), 50);
    });
    const client = scene.open(server, { http: "POST" });
    await client.ask(query("first"));
    const [bytes] = await client.ask(query("last", 9));
    assert.equal(decode(bytes!).id, 9);
    await client.until(() => client.why !== null);
    assert.equal(client.why, "connection closed by the upstream");
  },
);

test("a connection that breaks during requests is closed once", async (scene) => {
  const rows: { title: string; use: (request: HttpRequest) => void }[] = [
    { title: "session destroyed", use: ({ session }) => session.destroy() },
    { title: "socket destroyed", use: ({ cut }) => cut() },
    {
      title: "destroyed after headers",
      use: ({ stream, cut }) => {
        stream.respond(HEADERS);
        stream.write(new Uint8Array(5));
        setTimeout(cut, 20);
      },
    },
    { title: "goaway with an error", use: ({ session }) => session.goaway(2) },
  ];
  for (const { title, use } of rows) {
    const server = await scene.startHttp(use);
    const client = scene.open(server, { http: "POST" });
    client.send(query("a", 1), query("b", 2), query("c", 3));
    await client.until(() => client.why !== null);
    assert.deepEqual(client.frames, [], title);
    await until(() => scene.pair.control.size === 0, "the end of all streams");
  }
});

test(
  "a server without HTTP/2, or with another protocol inside TLS, is refused",
  async (scene) => {
    const dot = await scene.startTls({});
    assert.match(
      await scene.refusal(dot, { http: "POST" }),
      /^the upstream (does not speak HTTP\/2|speaks neither HTTP\/2 nor DNS here \(ALPN\))$/,
    );
    const rubbish = await scene.startTls({
      alpn: "h2",
      connection: (socket) => void socket.write("HTTP/1.1 400 Bad Request\r\n\r\n".repeat(20)),
    });
    const why = await scene.refusal(rubbish, { http: "POST" });
    assert.notEqual(why, "");
    await until(() => scene.pair.control.size === 0, "the end of all streams");
  },
);

const frame = (
  type: number,
  flags: number,
  stream: number,
) => [0, 0, 0, type, flags, 0, 0, 0, stream];

test(
  "a server that allows no streams gets no requests, and the stream fails",
  async (scene) => {
    let octets = 0;
    const server = await scene.startTls({
      alpn: "h2",
      connection(socket) {
        socket.write(Uint8Array.from([0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0]));
        socket.on("data", ({ length }: Uint8Array) => octets += length);
      },
    });
    const client = scene.open(server, { http: "POST" });
    await client.until(() => client.connects === 1);
    await until(() => octets >= 24 + 9 + 24 + 13 + 9);
    const before = octets;
    client.send(query("www"));
    await client.until(() => client.why !== null);
    assert.equal(client.why, "the upstream takes no requests");
    assert.ok(octets - before < 30, `${octets - before} octets`);
  },
);

test("a server that floods is closed, and avoided for a while", async (scene) => {
  let connections = 0;
  const server = await scene.startTls({
    alpn: "h2",
    connection(socket) {
      connections++;
      socket.write(Uint8Array.from(frame(4, 0, 0)));
      const pings = Array.from(
        { length: 500 },
        () => [0, 0, 8, 6, 0, 0, 0, 0, 0, ...Array(8).fill(1)],
      );
      socket.write(Uint8Array.from(pings.flat()));
      socket.resume();
    },
  });
  const why = "the upstream sends too many frames that carry nothing";
  for (let i = 0; i < 5; i++) assert.equal(await scene.refusal(server, { http: "GET" }), why);
  assert.equal(connections, 1);
  assert.deepEqual(scene.pair.counted, ["flood", ...Array(4).fill("refused")]);
  scene.pair.nowMs += 1000;
  assert.equal(await scene.refusal(server, { http: "GET" }), why);
  assert.equal(connections, 2);
});
