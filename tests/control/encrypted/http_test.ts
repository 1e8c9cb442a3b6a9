import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { type Authority, makeAuthority } from "../../support/servers/certificates.ts";
import { LanePair } from "../../support/engine/lane.ts";
import { a, decode, queryBytes, responseBytes } from "../../support/messages/messages.ts";
import { skipUnless } from "../../support/run/require.ts";
import { type HttpRequest, startHttp, startTls } from "../../support/servers/tls_servers.ts";

const NAME = "DNS:dns.example.org";
const HEADERS = { ":status": 200, "content-type": "application/dns-message" };

/** The message of a request, however it came. */
function messageOf({ headers, body }: HttpRequest): Uint8Array {
  if (headers[":method"] === "POST") return body;
  const text = new URL(`https://x${headers[":path"]}`).searchParams.get("dns")!;
  return new Uint8Array(Buffer.from(text, "base64url"));
}

function answer(request: HttpRequest): void {
  const query = decode(messageOf(request));
  request.stream.respond(HEADERS);
  request.stream.end(
    responseBytes(query, { answers: [a(query.questions![0]!.name, "192.0.2.7")] }),
  );
}

function query(name: string, id = 1): Uint8Array {
  return queryBytes({ name: `${name}.example.org`, id });
}

function nameOf(request: HttpRequest): string {
  return decode(messageOf(request)).questions![0]!.name.replace(".example.org", "");
}

function test(name: string, work: (authority: Authority, pair: LanePair) => Promise<void>): void {
  Deno.test({
    name: `DNS over HTTPS: ${name}`,
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

for (const http of ["GET", "POST"] as const) {
  test(
    `${http} has id 0 on the way, and the answer the id of the query`,
    async (authority, pair) => {
      const seen: HttpRequest[] = [];
      const server = await startHttp(authority.issue(NAME), (request) => {
        seen.push(request);
        answer(request);
      });
      const client = pair.open({ port: server.port, caFile: authority.caFile, http });
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
      await server.close();
    },
  );
}

test("three hundred at once, answered in any order", async (authority, pair) => {
  let held: HttpRequest[] = [];
  let most = 0;
  const server = await startHttp(authority.issue(NAME), (request) => {
    held.push(request);
    most = Math.max(most, held.length);
    // The last that came is answered first.
    setTimeout(() => {
      const all = held.reverse();
      held = [];
      all.forEach(answer);
    }, 5);
  });
  const client = pair.open({ port: server.port, caFile: authority.caFile, http: "POST" });
  const queries = Array.from({ length: 300 }, (_, id) => query(`n${id}`, id));
  const answers = (await client.ask(...queries)).map(decode);
  assert.equal(client.why, null);
  for (const { id, questions } of answers) assert.equal(questions![0]!.name, `n${id}.example.org`);
  assert.equal(new Set(answers.map(({ id }) => id)).size, 300);
  assert.ok(most > 1 && most <= 256, `${most} at once`);
  await client.until(() => pair.lane.queued(client.stream) === 0);
  await server.close();
});

/** What a server may do wrong with a request, and what is said of it. */
const FAULTS: { title: string; use: (request: HttpRequest) => void; why: RegExp }[] = [
  {
    title: "an HTTP status",
    use: ({ stream }) => {
      stream.respond({ ":status": 500, "content-type": "text/plain" });
      stream.end("out of order");
    },
    why: /^HTTP status 500 instead of an answer$/,
  },
  {
    title: "another content type",
    use: ({ stream }) => {
      stream.respond({ ":status": 200, "content-type": "text/html" });
      stream.end("<p>Welcome to this network. Please log in</p>");
    },
    why: /^HTTP content of type "text\/html"$/,
  },
  {
    title: "a stream that is reset",
    use: ({ stream }) => stream.close(2),
    why: /^an HTTP request was reset by the upstream$/,
  },
  {
    title: "the answer to another question",
    use: ({ stream }) => {
      stream.respond(HEADERS);
      const question = decode(queryBytes({ name: "other.example.org" }));
      stream.end(responseBytes(question, { answers: [a("other.example.org", "192.0.2.66")] }));
    },
    why: /^HTTP content that answers another question$/,
  },
  {
    title: "the query itself",
    use: (request) => {
      request.stream.respond(HEADERS);
      request.stream.end(messageOf(request));
    },
    why: /^HTTP content that answers another question$/,
  },
  {
    title: "nothing in it",
    use: ({ stream }) => {
      stream.respond(HEADERS);
      stream.end();
    },
    why: /^HTTP content shorter than a DNS message$/,
  },
  {
    title: "more than a message",
    use: ({ stream }) => {
      stream.respond(HEADERS);
      stream.end(new Uint8Array(70_000));
    },
    why: /^HTTP content longer than a DNS message$/,
  },
];

for (const { title, use, why } of FAULTS) {
  test(`${title} ends that query; again and again, the connection`, async (authority, pair) => {
    const server = await startHttp(authority.issue(NAME), (request) => {
      if (nameOf(request).startsWith("bad")) use(request);
      else answer(request);
    });
    const target = { port: server.port, caFile: authority.caFile, http: "POST" as const };
    const client = pair.open(target);
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
    assert.match(client.why!, why);

    const fresh = pair.open(target);
    fresh.send(query("bad"));
    await fresh.until(() => fresh.why !== null);
    assert.match(fresh.why!, why);
    assert.deepEqual(fresh.frames, []);
    assert.equal(pair.control.size, 0);
    await server.close();
  });
}

test("a failed query's frame is a response to that question", async (authority, pair) => {
  const server = await startHttp(authority.issue(NAME), (request) => {
    if (nameOf(request) === "good") answer(request);
    else FAULTS[0]!.use(request);
  });
  const client = pair.open({ port: server.port, caFile: authority.caFile, http: "GET" });
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
  await server.close();
});

test(
  "a server that goes away answers what it has, then the stream is closed",
  async (authority, pair) => {
    const server = await startHttp(authority.issue(NAME), (request) => {
      if (nameOf(request) !== "last") {
        answer(request);
        return;
      }
      request.session.goaway(0);
      setTimeout(() => answer(request), 50);
    });
    const client = pair.open({ port: server.port, caFile: authority.caFile, http: "POST" });
    await client.ask(query("first"));
    const [bytes] = await client.ask(query("last", 9));
    assert.equal(decode(bytes!).id, 9);
    await client.until(() => client.why !== null);
    assert.equal(client.why, "connection closed by the upstream");
    await server.close();
  },
);

test("a connection that breaks under requests is closed once", async (authority, pair) => {
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
    const server = await startHttp(authority.issue(NAME), use);
    const client = pair.open({ port: server.port, caFile: authority.caFile, http: "POST" });
    client.send(query("a", 1), query("b", 2), query("c", 3));
    await client.until(() => client.why !== null);
    assert.deepEqual(client.frames, [], title);
    assert.equal(pair.control.size, 0, title);
    await server.close();
  }
});

test(
  "a server without HTTP/2 is refused, as is one that speaks something else in it",
  async (authority, pair) => {
    const target = { caFile: authority.caFile, http: "POST" as const };
    const dot = await startTls(authority.issue(NAME), {});
    assert.match(
      await pair.refusal({ ...target, port: dot.port }),
      /^the upstream (does not speak HTTP\/2|speaks neither HTTP\/2 nor DNS here \(ALPN\))$/,
    );
    await dot.close();
    const rubbish = await startTls(authority.issue(NAME), {
      alpn: "h2",
      connection: (socket) => void socket.write("HTTP/1.1 400 Bad Request\r\n\r\n".repeat(20)),
    });
    const why = await pair.refusal({ ...target, port: rubbish.port });
    assert.notEqual(why, "");
    assert.equal(pair.control.size, 0);
    await rubbish.close();
  },
);

/** A frame without payload. */
const frame = (
  type: number,
  flags: number,
  stream: number,
) => [0, 0, 0, type, flags, 0, 0, 0, stream];

test(
  "a server that takes no streams gets no requests, and is not waited for",
  async (authority, pair) => {
    let octets = 0;
    const server = await startTls(authority.issue(NAME), {
      alpn: "h2",
      connection(socket) {
        socket.write(Uint8Array.from([0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0]));
        socket.on("data", ({ length }: Uint8Array) => octets += length);
      },
    });
    const client = pair.open({ port: server.port, caFile: authority.caFile, http: "POST" });
    await client.until(() => client.connects === 1);
    // The settings are there once they have been acknowledged.
    while (octets < 24 + 9 + 24 + 13 + 9) await new Promise((resolve) => setTimeout(resolve, 5));
    const before = octets;
    client.send(query("www"));
    await client.until(() => client.why !== null);
    assert.equal(client.why, "the upstream takes no requests");
    // Goodbye at most.
    assert.ok(octets - before < 30, `${octets - before} octets`);
    await server.close();
  },
);

test("a server that floods is cut off, and left alone for a while", async (authority, pair) => {
  let connections = 0;
  const server = await startTls(authority.issue(NAME), {
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
  const target = { port: server.port, caFile: authority.caFile, http: "GET" as const };
  const why = "the upstream sends too many frames that carry nothing";
  for (let i = 0; i < 5; i++) assert.equal(await pair.refusal(target), why);
  assert.equal(connections, 1);
  assert.deepEqual(pair.counted, ["flood", ...Array(4).fill("refused")]);
  pair.nowMs += 1000;
  assert.equal(await pair.refusal(target), why);
  assert.equal(connections, 2);
  await server.close();
});
